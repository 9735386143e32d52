import assert from 'node:assert/strict';
import { areDevicesInUse, DeviceArray, type Elements } from '../../src/core/device-array.js';
import { computeDtype, isTypedArray, type DType } from '../../src/core/dtypes.js';
import { onHost } from '../../src/core/elements.js';
import { sizeOf } from '../../src/core/shape.js';
import { loadAddon } from '../addon.js';
import type {
  AnyTypedArray,
  Cpu,
  DenseArray,
  KernelFunctions,
  Kernels,
  StepArguments,
} from '../types.js';
import { enqueue, flush, watch } from './queue.js';
import { routedRows } from './rows.js';
import { broadcast, copyWithin, deviceAmong, onDevice, resultOf, transfer } from './staging.js';

type Anywhere = KernelFunctions<DeviceArray>;
type AnyArray = AnyTypedArray | DeviceArray;

/**
 * The kernels of the CPU, and the same on CUDA devices. Where all arrays are typed arrays the CPU does
 * it; else whoever has what is written, and the other arrays are copied there.
 */
export function withDevices(
  functions: KernelFunctions,
  about: { readonly name: Kernels['name']; readonly cpu: Cpu },
): Kernels {
  return {
    ...functions,
    ...routedDense(functions),
    ...routedRows(functions),
    ...about,
    flush,
    watch,
  };
}

type Dense = Pick<
  Anywhere,
  | 'reduceSum'
  | 'step'
  | 'squares'
  | 'encode'
  | 'decode'
  | 'quantize'
  | 'copy'
  | 'clear'
  | 'cast'
  | 'isFinite'
>;

function routedDense(cpu: KernelFunctions): Dense {
  return {
    reduceSum(inputs, out, dtype) {
      if (!areDevicesInUse() || areTyped(inputs, [out])) {
        return cpu.reduceSum(inputs as DenseArray[], out as DenseArray, dtype);
      }
      if (!(out instanceof DeviceArray)) return cpu.reduceSum(inputs.map(onHost), out, dtype);
      sum(inputs, out);
    },
    step(rule, args) {
      const { stored, inputs } = args;
      if (stored instanceof DeviceArray) return step(rule, args);
      const here = areDevicesInUse() ? { ...args, inputs: inputs.map(onHost) } : args;
      cpu.step(rule, here as StepArguments);
    },
    squares(inputs, dtype) {
      const device = areDevicesInUse() ? deviceAmong(inputs) : undefined;
      if (device === undefined) return cpu.squares(inputs as DenseArray[], dtype);
      return squares(inputs, dtype, device);
    },
    encode: (...args) => encode(cpu, ...args),
    decode: (...args) => decode(cpu, ...args),
    quantize: (...args) => quantize(cpu, ...args),
    copy(source, outs) {
      if (!areDevicesInUse() || areTyped([source], outs)) {
        return cpu.copy(source as AnyTypedArray, outs as AnyTypedArray[]);
      }
      copy(cpu, source, outs);
    },
    clear(out) {
      if (!(out instanceof DeviceArray)) return cpu.clear(out);
      const { dtype, length, device } = out;
      if (length > 0) enqueue(device, { code: 'fill', dtype, length, scalar: 0n, outs: [out] });
    },
    cast(source, out, from, to) {
      if (!(out instanceof DeviceArray)) return cpu.cast(onHost(source), out, from, to);
      const dtype = from ?? dtypeOfArray(source);
      const input = onDevice(source, out.device, dtype);
      if (out.length === 0) return;
      const { length, device } = out;
      enqueue(device, {
        ...{ code: 'cast', dtype, to: out.dtype, length },
        ...{ inputs: [input], outs: [out] },
      });
    },
    isFinite(view, dtype) {
      if (!(view instanceof DeviceArray)) return cpu.isFinite(view, dtype);
      return isFinite(view);
    },
  };
}

/** Whether all arrays are on the CPU. */
function areTyped(a: readonly AnyArray[], b: readonly AnyArray[]): boolean {
  for (let i = 0; i < b.length; i++) if (!isTypedArray(b[i])) return false;
  for (let i = 0; i < a.length; i++) if (!isTypedArray(a[i])) return false;
  return true;
}

function dtypeOfArray(array: Elements): DType {
  assert(array instanceof DeviceArray, 'a cast of a typed array to a device says from which dtype');
  return array.dtype;
}

function sum(inputs: readonly Elements[], out: DeviceArray): void {
  const { dtype, length, device } = out;
  if (length === 0) return;
  const there = inputs.map((input) => onDevice(input, device, dtype));
  enqueue(device, { code: 'sum', dtype, length, inputs: there, outs: [out] });
}

function step(rule: string, args: StepArguments<DeviceArray>): void {
  const { dtype, shape, inputs, slots, hyper, rows: ids } = args;
  const stored = args.stored as DeviceArray;
  const { device } = stored;
  if (stored.length === 0 || ids?.length === 0) return;
  const on = (array: Elements): DeviceArray => onDevice(array, device, dtype);
  const own = (array: Elements | undefined): DeviceArray | undefined => {
    assert(array === undefined || array instanceof DeviceArray, 'what is updated lives together');
    return array;
  };
  enqueue(device, {
    code: 'step',
    dtype,
    to: computeDtype(dtype),
    length: inputs[0]!.length,
    rule: ruleNumber(rule),
    rowLength: ids === undefined ? 0 : sizeOf(shape.slice(1)),
    stored,
    master: own(args.master),
    scratch: own(args.scratch),
    average: own(args.average),
    rows: ids && onDevice(ids, device, 'int64'),
    inputs: inputs.map(on),
    slots: slots.map((slot) => own(slot)!),
    hyper,
  });
}

const ruleNumbers = new Map<string, number>();

/** The number of a rule in C++. */
function ruleNumber(rule: string): number {
  if (ruleNumbers.size === 0) {
    for (const [i, name] of (loadAddon().addon?.steps ?? []).entries()) ruleNumbers.set(name, i);
  }
  return ruleNumbers.get(rule)!;
}

function squares(inputs: readonly Elements[], dtype: DType, device: number): number {
  const { length } = inputs[0]!;
  if (length === 0) return 0;
  const there = inputs.map((input) => onDevice(input, device, dtype));
  const result = resultOf(device, 'float64', new Float64Array(1), (out) =>
    enqueue(device, { code: 'squares', dtype, length, inputs: there, outs: [out] }),
  );
  return result[0]!;
}

function isFinite(view: DeviceArray): boolean {
  const { device, dtype, length } = view;
  if (length === 0) return true;
  const result = resultOf(device, 'int32', new Int32Array(1), (out) =>
    enqueue(device, { code: 'isFinite', dtype, length, inputs: [view], outs: [out] }),
  );
  return result[0] === 1;
}

function encode(cpu: KernelFunctions, ...args: Parameters<Anywhere['encode']>): void {
  const [codec, gradient, residual, out] = args;
  if (!(residual instanceof DeviceArray)) {
    return cpu.encode(codec, onHost(gradient) as Float32Array, residual, out as Uint8Array);
  }
  assert(out instanceof DeviceArray, 'codes and what they leave out live together');
  const { device, length } = residual;
  if (length === 0) return;
  enqueue(device, {
    ...{ code: 'encode', dtype: 'float32', length, codec },
    ...{ inputs: [onDevice(gradient, device, 'float32')], outs: [residual, out] },
  });
}

function decode(cpu: KernelFunctions, ...args: Parameters<Anywhere['decode']>): void {
  const [codec, bytes, out] = args;
  if (!(out instanceof DeviceArray)) return cpu.decode(codec, onHost(bytes) as Uint8Array, out);
  const { device, length } = out;
  if (length === 0) return;
  enqueue(device, {
    ...{ code: 'decode', dtype: 'float32', length, codec },
    ...{ inputs: [onDevice(bytes, device, 'uint8')], outs: [out] },
  });
}

function quantize(cpu: KernelFunctions, ...args: Parameters<Anywhere['quantize']>): void {
  const [codec, [gradient, residual], left, out] = args;
  if (!(out instanceof DeviceArray)) {
    const inputs = [onHost(gradient), onHost(residual)] as [Float32Array, Float32Array];
    return cpu.quantize(codec, inputs, left as Float32Array, out);
  }
  assert(left instanceof DeviceArray, 'values and what is left live together');
  const { device, length } = out;
  if (length === 0) return;
  const inputs = [gradient, residual].map((each) => onDevice(each, device, 'float32'));
  enqueue(device, {
    ...{ code: 'quantize', dtype: 'float32', length, codec },
    ...{ inputs, outs: [left, out] },
  });
}

function copy(cpu: KernelFunctions, source: AnyArray, outs: readonly AnyArray[]): void {
  if (!(source instanceof DeviceArray)) {
    for (const out of outs) {
      if (out instanceof DeviceArray) transfer(source, out);
      else cpu.copy(source, [out]);
    }
    return;
  }
  const beside: DeviceArray[] = [];
  const elsewhere: DeviceArray[] = [];
  let here: AnyTypedArray | undefined;
  for (const out of outs) {
    if (!(out instanceof DeviceArray)) {
      if (here === undefined) transfer(source, out);
      else cpu.copy(here, [out]);
      here ??= out;
    } else if (out.device === source.device) {
      beside.push(out);
    } else {
      elsewhere.push(out);
    }
  }
  broadcast(source, elsewhere);
  copyWithin(source, beside);
}
