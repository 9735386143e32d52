import type { CompressionSpec } from '../src/core/compression.js';
import type { DeviceArray } from '../src/core/device-array.js';
import type { DType, TensorData } from '../src/core/dtypes.js';
import type { FloatData } from '../src/core/optimizers/kernel.js';
import type { FindRows } from '../src/core/row-index.js';
import type { Shape } from '../src/core/shape.js';

/** Arrays that kernels compute with. A `Uint16Array` holds the bits of float16 or bfloat16. */
export type DenseArray = TensorData;

/** Arrays that kernels move without a look at what is in them. */
export type AnyTypedArray =
  | DenseArray
  | Uint8ClampedArray
  | Int16Array
  | Uint32Array
  | BigUint64Array;

/**
 * What one step of an optimizer works on. C is float32 for half types, else the dtype. `Also`: what
 * arrays may be beside typed arrays.
 */
export interface StepArguments<Also = never> {
  /** float32, float64, float16 or bfloat16: of the inputs and of `stored`. */
  readonly dtype: DType;
  /** Shape of the tensor. */
  readonly shape: Shape;
  /** At least one array as large as the tensor, or as its `rows`. */
  readonly inputs: readonly (DenseArray | Also)[];
  /** The weights w. With a master they are written only. */
  readonly stored: DenseArray | Also;
  /** The weights of a half type in float32: what is updated. */
  readonly master?: FloatData | Also | undefined;
  /** The slots of the rule, of C. */
  readonly slots: readonly (FloatData | Also)[];
  /** Room of C, as much as `scratchLength` says or more; its contents do not matter. */
  readonly scratch?: FloatData | Also | undefined;
  /** A moving average of w, of C. */
  readonly average?: FloatData | Also | undefined;
  /** The rows of w that the inputs hold, each once; for rules that are not `whole`. */
  readonly rows?: BigInt64Array | undefined;
  /** rescale, clip (infinity: none), coupled decay, share the average keeps; then the rule's own. */
  readonly hyper: Float64Array;
}

/** Some rows of a tensor: `ids.length` rows one behind another. Ids ascend, each once. */
export interface RowList<Also = never> {
  readonly ids: BigInt64Array;
  readonly rows: DenseArray | Also;
}

/**
 * What each kernel does; `reference.ts` says the same as code. `Also`: what arrays may be beside typed
 * arrays.
 */
export interface KernelFunctions<Also = never> {
  /**
   * `out[i] = inputs[0][i] + inputs[1][i] + …`, added in list order, each addition rounded to the
   * dtype; integers wrap around; half types are added in float32 and rounded once. Inputs may repeat.
   * `out` overlaps an input only where it is the very same array at the same position. `dtype` is
   * needed for a `Uint16Array` only.
   */
  reduceSum(inputs: readonly (DenseArray | Also)[], out: DenseArray | Also, dtype?: DType): void;
  /**
   * One step of the update rule called `rule` (see src/core/optimizers), fused with the sum of the
   * inputs: `g = clip(sum * rescale) + decay * w`, the decay only if it is not 0; then the rule makes
   * w and the slots of it; then `average = share * average + (1 - share) * w`. Each operation is
   * rounded to C. `stored`, `master`, slots, scratch and average do not overlap; an input overlaps
   * `stored` only where it is the very same array at the same position.
   */
  step(rule: string, args: StepArguments<Also>): void;
  /**
   * The sum of the squares of `inputs[0] + inputs[1] + …`, which is made as `step` makes it, in double
   * precision and in one order (`sumOfSquares` in src/core/optimizers/kernel.ts). Floats only.
   */
  squares(inputs: readonly (DenseArray | Also)[], dtype: DType): number;
  /**
   * Writes the codes of `gradient` (src/core/compression.ts) to `out`, which has `compressedBytes`
   * elements, and what they leave out to `residual`. No two arrays overlap.
   */
  encode(
    codec: CompressionSpec,
    gradient: Float32Array | Also,
    residual: Float32Array | Also,
    out: Uint8Array | Also,
  ): void;
  /** Writes the values of codes to `out`; the code 01 gives 0. */
  decode(codec: CompressionSpec, bytes: Uint8Array | Also, out: Float32Array | Also): void;
  /**
   * Writes what `decode` would give of the codes of `gradient` to `out`, and what they leave out to
   * `left`. `left` may be `residual` and `out` may be `gradient`, otherwise no two arrays overlap.
   */
  quantize(
    codec: CompressionSpec,
    inputs: readonly [gradient: Float32Array | Also, residual: Float32Array | Also],
    left: Float32Array | Also,
    out: Float32Array | Also,
  ): void;
  /** Copies `source` to every out, bit by bit. An out is disjoint from `source` or the same array. */
  copy(source: AnyTypedArray | Also, outs: readonly (AnyTypedArray | Also)[]): void;
  /** Zeros in every byte of `out`. */
  clear(out: AnyTypedArray | Also): void;
  /**
   * `out[i] = source[i]` in the dtype `to`: to an integer truncated toward zero and saturated, NaN
   * becomes 0; to a narrower float rounded to nearest, ties to even, int64 by way of float64. `out`
   * is disjoint from `source`, or the same array. `from` and `to` are needed for a `Uint16Array` only.
   */
  cast(source: DenseArray | Also, out: DenseArray | Also, from?: DType, to?: DType): void;
  /**
   * Whether no element is a NaN or an infinity; true for integers. Stops early at the first. `dtype`
   * is needed for a `Uint16Array` only.
   */
  isFinite(view: DenseArray | Also, dtype?: DType): boolean;
  /**
   * Writes every id of the lists once, ascending, to `out`, and returns how many these are. Lists
   * ascend, each id once and below 2 ** 63 - 1. `out` overlaps no list and has room for all of them
   * together.
   */
  unionIds(lists: readonly BigInt64Array[], out: BigInt64Array): number;
  /**
   * The row of each of `out.ids` becomes the sum of the rows that inputs have of it, added in list
   * order as `reduceSum` adds; zeros where no input has one. Rows of other ids are left out, so a
   * part of the union may be summed. `rowLength` counts elements; `out.rows` overlaps nothing.
   */
  sumRows(
    inputs: readonly RowList<Also>[],
    out: RowList<Also>,
    rowLength: number,
    dtype?: DType,
  ): void;
  /**
   * Row i of `out` becomes row `positions[i]` of `source`, of the same type, or zeros for -1: rows of
   * `rowBytes` bytes, whatever they hold. No two arrays overlap.
   */
  gatherRows(
    source: AnyTypedArray | Also,
    positions: BigInt64Array,
    out: AnyTypedArray | Also,
    rowBytes: number,
  ): void;
  /** Row `positions[i]` of `target` becomes row i of `source`; positions are distinct. As above. */
  scatterRows(
    source: AnyTypedArray | Also,
    positions: BigInt64Array,
    target: AnyTypedArray | Also,
    rowBytes: number,
  ): void;
  /**
   * `out[i]` becomes the slot of `ids[i]` in an index of rows (src/core/row-index.ts), -1 where it is
   * absent. Returns how many are absent. `out` overlaps nothing.
   */
  findRows: FindRows;
  /**
   * The same elements in a typed array whose buffer is no `SharedArrayBuffer`, for libraries that
   * refuse those. Writes are seen both ways; the shared memory lives as long as the result.
   */
  unsharedView<T extends AnyTypedArray>(view: T): T;
}

/** Instruction sets that kernels are compiled for; `none` stands for TypeScript. */
export type Cpu = 'baseline' | 'avx2' | 'avx512' | 'neon' | 'none';

/**
 * One implementation of the kernels. All give the same bits, the payloads of NaNs apart. Arrays may
 * live on CUDA devices: the work is done where what it writes lives, and others are copied there.
 */
export interface Kernels extends KernelFunctions<DeviceArray> {
  readonly name: 'native' | 'reference';
  readonly cpu: Cpu;
  /**
   * Work for a CUDA device is kept back until somebody reads what it writes, so that many kernels are
   * one launch. This sends what is kept back, for one device or for all. Throws `memory_limit` or
   * `peer_dead`: then nothing of what was kept back for that device is done.
   */
  flush(device?: number): void;
  /** Has `watcher` hear what becomes of work that is kept back, whoever sends it; or nobody. */
  watch(watcher: DeviceWatcher | undefined): void;
}

/** Hears what becomes of the work that this thread has kept back for CUDA devices. */
export interface DeviceWatcher {
  /** All of it for `device` is on its way. */
  sent(device: number): void;
  /** None of it for `device` will be done. */
  failed(device: number, error: unknown): void;
}
