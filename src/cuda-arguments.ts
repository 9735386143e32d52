import type { AccessMode, LaunchArgument } from '../native/cuda.js';
import { DeviceArray } from './core/device-array.js';
import { KVStoreError, show } from './core/errors.js';
import { arrayOf, Tensor, type AnyTensor } from './core/tensor.js';
import { TensorView } from './core/tensor-view.js';

/** An argument of a kernel: what `read`, `write`, `readWrite`, `int32`, … give. */
export type Argument = LaunchArgument;

/** How many threads run a kernel: 1 to 3 numbers each, as `<<<grid, block, sharedBytes>>>`. */
export interface LaunchSize {
  readonly grid: number | readonly number[];
  readonly block: number | readonly number[];
  /** Dynamic shared memory of a block. Default 0. */
  readonly sharedBytes?: number;
}

/** The elements of a tensor, which a kernel reads: a pointer to the first. Throws `bad_argument`. */
export function read(tensor: AnyTensor): Argument {
  return arrayArgument(tensor, 'read');
}

/** As `read`, of a tensor that a kernel writes, all of it, and reads nothing of. */
export function write(tensor: AnyTensor): Argument {
  return arrayArgument(tensor, 'write');
}

/** As `read`, of a tensor that a kernel reads and writes. */
export function readWrite(tensor: AnyTensor): Argument {
  return arrayArgument(tensor, 'readWrite');
}

/** An `int`. Throws `bad_argument` for what is none. */
export function int32(value: number): Argument {
  return integer('int32', value, value | 0);
}

/** An `unsigned int`. Throws `bad_argument` for what is none. */
export function uint32(value: number): Argument {
  return integer('uint32', value, value >>> 0);
}

/** A `float`, rounded to the nearest. Throws `bad_argument` for what is no number. */
export function float32(value: number): Argument {
  return { kind: 'float32', value: numberOf(value, 'float32') };
}

/** A `double`. Throws `bad_argument` for what is no number. */
export function float64(value: number): Argument {
  return { kind: 'float64', value: numberOf(value, 'float64') };
}

/** A `long long`. Throws `bad_argument` for what is none. */
export function int64(value: bigint | number): Argument {
  if (
    typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value)
  ) {
    return { kind: 'int64', value: BigInt(value) };
  }
  throw new KVStoreError('bad_argument', `int64 expected an integer, got ${show(value)}`);
}

function arrayArgument(tensor: unknown, access: AccessMode): Argument {
  if (tensor instanceof TensorView && access !== 'read') {
    throw new KVStoreError('bad_argument', `${access} expected a tensor to write to, got a view`);
  }
  const array = tensor instanceof Tensor ? arrayOf(tensor) : undefined;
  if (array instanceof DeviceArray) return { kind: 'array', array, access };
  const got = array === undefined ? show(tensor) : 'one on the CPU';
  const message = `${access} expected a tensor on a CUDA device, got ${got}`;
  throw new KVStoreError('bad_argument', message);
}

function integer(kind: 'int32' | 'uint32', value: unknown, wrapped: number): Argument {
  if (value === wrapped) return { kind, value: wrapped };
  throw new KVStoreError(
    'bad_argument',
    `${kind} expected an integer of 32 bits, got ${show(value)}`,
  );
}

function numberOf(value: unknown, kind: string): number {
  if (typeof value === 'number') return value;
  throw new KVStoreError('bad_argument', `${kind} expected a number, got ${show(value)}`);
}
