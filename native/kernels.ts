import assert from 'node:assert/strict';
import { types } from 'node:util';
import { loadAddon, type Addon } from './addon.js';
import { checkDecode, checkEncode, checkQuantize } from './check-compression.js';
import { checkedRows } from './check-rows.js';
import { checkSquares, checkStep } from './check-step.js';
import { checkCast, checkCopy, checkReduceSum, typeOf } from './checks.js';
import { cudaBackend } from './cuda/backend.js';
import { withDevices } from './cuda/kernels.js';
import { codeOf, resolveDtype } from './dtype-codes.js';
import * as reference from './reference.js';
import { useDeviceBackend } from '../src/core/device-backend.js';
import { placeLargeTensors } from '../src/core/memory.js';
import { sizeOf } from '../src/core/shape.js';
import type { AnyTypedArray, Cpu, KernelFunctions, Kernels } from './types.js';

/** The one door to C++: every argument is checked here; C++ checks what memory depends on once more. */

export type * from './types.js';

const { addon, missingReason } = loadAddon();
useDeviceBackend(cudaBackend);
if (addon !== undefined) placeLargeTensors((buffer, bytes) => addon.useHugePages(buffer, bytes));

/** One sentence that says why there is no addon; `undefined` where it was loaded. */
export const nativeMissingReason: string | undefined = missingReason;

/** What `kernelsFor` takes on this machine, the slowest first. */
export const cpus: readonly Cpu[] = ['none', ...(addon?.cpus ?? [])];

/** The kernels for one of `cpus`; `none` gives the TypeScript references. */
export function kernelsFor(cpu: Cpu): Kernels {
  if (cpu === 'none') return withDevices(checked(reference), { name: 'reference', cpu });
  assert(addon !== undefined && cpus.includes(cpu), `no kernels for ${cpu} on this machine`);
  return withDevices(checked(nativeFunctions(addon, cpu)), { name: 'native', cpu });
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

function nativeFunctions({ forCpu, externalBuffer, steps }: Addon, cpu: Cpu): KernelFunctions {
  const native = forCpu(cpu);
  assert(native !== undefined, `no kernels for ${cpu} on this machine`);
  const rules = new Map(steps.map((name, i) => [name, i]));
  // A buffer made by the addon does not keep the memory that it shows.
  const memoryOf = new WeakMap<ArrayBuffer, ArrayBufferLike>();
  return {
    ...native,
    clear: reference.clear,
    reduceSum(inputs, out, dtype) {
      native.reduceSum(inputs, out, codeOf(resolveDtype(out, dtype)));
    },
    step(rule, { dtype, inputs, stored, slots, hyper, shape, ...optional }) {
      const { master, scratch, average, rows } = optional;
      const rowLength = rows === undefined ? 0 : sizeOf(shape.slice(1));
      const arrays = [inputs, stored, slots, hyper] as const;
      const rest = [rowLength, master, scratch, average, rows] as const;
      native.step(rules.get(rule)!, codeOf(dtype), ...arrays, ...rest);
    },
    encode: ({ type, threshold }, ...arrays) =>
      native.encode(type === '2bit', threshold, ...arrays),
    decode: ({ type, threshold }, ...arrays) =>
      native.decode(type === '2bit', threshold, ...arrays),
    quantize: ({ type, threshold }, inputs, ...outs) =>
      native.quantize(type === '2bit', threshold, ...inputs, ...outs),
    squares: (inputs, dtype) => native.squares(inputs, codeOf(dtype)),
    cast(source, out, from, to) {
      const codes = [codeOf(resolveDtype(source, from)), codeOf(resolveDtype(out, to))] as const;
      native.cast(source, out, ...codes);
    },
    sumRows(inputs, out, rowLength, dtype) {
      const lists = inputs.map(({ ids }) => ids);
      const rows = inputs.map((input) => input.rows);
      const code = codeOf(resolveDtype(out.rows, dtype));
      native.sumRows(lists, rows, out.ids, out.rows, rowLength, code);
    },
    isFinite(view, dtype) {
      return native.isFinite(view, codeOf(resolveDtype(view, dtype)));
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
    ...checkedRows(functions),
    reduceSum(inputs, out, said) {
      const dtype = checkReduceSum(inputs, out, said);
      functions.reduceSum(inputs, out, dtype);
    },
    step(rule, args) {
      checkStep(rule, args);
      functions.step(rule, args);
    },
    encode(codec, gradient, residual, out) {
      checkEncode(codec, gradient, residual, out);
      functions.encode(codec, gradient, residual, out);
    },
    decode(codec, bytes, out) {
      checkDecode(codec, bytes, out);
      functions.decode(codec, bytes, out);
    },
    quantize(codec, inputs, left, out) {
      checkQuantize(inputs, left, out);
      functions.quantize(codec, inputs, left, out);
    },
    squares(inputs, dtype) {
      checkSquares(inputs, dtype);
      return functions.squares(inputs, dtype);
    },
    copy(source, outs) {
      checkCopy(source, outs);
      functions.copy(source, outs);
    },
    clear(out) {
      assert(ArrayBuffer.isView(out), 'a kernel takes typed arrays');
      functions.clear(out);
    },
    cast(source, out, saidFrom, saidTo) {
      const [from, to] = [resolveDtype(source, saidFrom), resolveDtype(out, saidTo)];
      checkCast(source, from, out, to);
      functions.cast(source, out, from, to);
    },
    isFinite(view, said) {
      return functions.isFinite(view, resolveDtype(view, said));
    },
    unsharedView(view) {
      assert(typeOf(view) in constructors, 'unsharedView takes a typed array');
      return functions.unsharedView(view);
    },
  };
}
