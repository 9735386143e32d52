import assert from 'node:assert/strict';
import { types } from 'node:util';
import { loadAddon, type Addon } from './addon.js';
import { checkCast, checkCopy, checkReduceSum, checkSgdStep, typeOf } from './checks.js';
import * as reference from './reference.js';
import type { AnyTypedArray, Cpu, KernelFunctions, Kernels } from './types.js';

/** The one door to C++: every argument is checked here, nothing is checked behind it. */

export type * from './types.js';

const { addon, missingReason } = loadAddon();

/** One sentence that says why there is no addon; `undefined` where it was loaded. */
export const nativeMissingReason: string | undefined = missingReason;

/** What `kernelsFor` takes on this machine, the slowest first. */
export const cpus: readonly Cpu[] = ['none', ...(addon?.cpus ?? [])];

/** The kernels for one of `cpus`; `none` gives the TypeScript references. */
export function kernelsFor(cpu: Cpu): Kernels {
  if (cpu === 'none') return { name: 'reference', cpu, ...checked(reference) };
  assert(addon !== undefined && cpus.includes(cpu), `no kernels for ${cpu} on this machine`);
  return { name: 'native', cpu, ...checked(nativeFunctions(addon, cpu)) };
}

/**
 * The best kernels of this machine, chosen once per thread. The environment variable `TENSORKV_CPU`
 * (`baseline`, `avx2`, `avx512`) lowers the choice.
 */
export const kernels: Kernels = kernelsFor(chooseCpu(process.env['TENSORKV_CPU']));

function chooseCpu(limit: string | undefined): Cpu {
  if (addon === undefined) return 'none';
  const levels = ['baseline', 'avx2', 'avx512'];
  const highest = limit === undefined || limit === '' ? levels.length - 1 : levels.indexOf(limit);
  if (highest === -1) throw new Error(`TENSORKV_CPU is one of ${levels.join(', ')}, not ${limit}`);
  return addon.cpus[Math.min(highest, addon.cpus.length - 1)]!;
}

function nativeFunctions({ forCpu, externalBuffer }: Addon, cpu: Cpu): KernelFunctions {
  const native = forCpu(cpu);
  assert(native !== undefined, `no kernels for ${cpu} on this machine`);
  // One typed array is cheaper to read from C++ than five numbers.
  const hyperScratch = new Float64Array(5);
  // A buffer made by the addon does not keep the memory that it shows.
  const memoryOf = new WeakMap<ArrayBuffer, ArrayBufferLike>();
  return {
    ...native,
    sgdStep(inputs, stored, momentum, hyper) {
      hyperScratch[0] = hyper.lr;
      hyperScratch[1] = hyper.momentum;
      hyperScratch[2] = hyper.wd;
      hyperScratch[3] = hyper.rescaleGrad;
      hyperScratch[4] = reference.clipOrInfinity(hyper.clipGradient);
      native.sgdStep(inputs, stored, momentum, hyperScratch);
    },
    unsharedView(view) {
      if (!types.isSharedArrayBuffer(view.buffer)) return view;
      if (view.length === 0) return viewOf(view, new ArrayBuffer(0));
      const buffer = externalBuffer(view);
      memoryOf.set(buffer, view.buffer);
      return viewOf(view, buffer);
    },
  };
}

const constructors = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

/** All of `buffer` as an array of the type of `model`. */
function viewOf<T extends AnyTypedArray>(model: T, buffer: ArrayBuffer): T {
  const Constructor = constructors[typeOf(model) as keyof typeof constructors];
  return new Constructor(buffer) as T;
}

function checked(functions: KernelFunctions): KernelFunctions {
  return {
    reduceSum(inputs, out) {
      checkReduceSum(inputs, out);
      functions.reduceSum(inputs, out);
    },
    sgdStep(inputs, stored, momentum, hyper) {
      checkSgdStep(inputs, stored, momentum, hyper);
      functions.sgdStep(inputs, stored, momentum, hyper);
    },
    copy(source, outs) {
      checkCopy(source, outs);
      functions.copy(source, outs);
    },
    cast(source, out) {
      checkCast(source, out);
      functions.cast(source, out);
    },
    unsharedView(view) {
      assert(typeOf(view) in constructors, 'unsharedView takes a typed array');
      return functions.unsharedView(view);
    },
  };
}
