/** Arrays that kernels compute with. */
export type DenseArray = Float32Array | Float64Array | Int32Array;

/** Arrays that optimizers compute with. */
export type FloatArray = Float32Array | Float64Array;

/** Arrays that kernels move without a look at what is in them. */
export type AnyTypedArray =
  | DenseArray
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Hyper-parameters of one SGD step; each is rounded to the dtype of the stored tensor first. */
export interface SgdHyper {
  readonly lr: number;
  /** Not used when there is no momentum tensor. */
  readonly momentum: number;
  readonly wd: number;
  readonly rescaleGrad: number;
  /** `undefined`, negative or NaN: gradients are not clipped. */
  readonly clipGradient: number | undefined;
}

/** What each kernel does; `reference.ts` says the same as code. */
export interface KernelFunctions {
  /**
   * `out[i] = inputs[0][i] + inputs[1][i] + …`, added in list order, each addition rounded to the
   * dtype; int32 wraps around. Inputs may repeat. `out` overlaps an input only where it is the very
   * same array at the same position.
   */
  reduceSum(inputs: readonly DenseArray[], out: DenseArray): void;
  /**
   * One step of SGD as MXNet 2.0 defines it (`python/mxnet/optimizer/sgd.py`), fused with the sum.
   * Per element, every operation rounded to the dtype, in this order:
   * `g = (inputs[0] + inputs[1] + …) * rescaleGrad`; clipped to `±clipGradient` (NaN stays NaN);
   * `g += wd * w` only if `wd` is not 0; without momentum `w -= lr * g`; with it
   * `m = momentum * m - lr * g` and `w += m`. Here w is `stored` and m is `momentum`, which do not
   * overlap; an input overlaps either only where it is the very same array at the same position.
   */
  sgdStep(
    inputs: readonly FloatArray[],
    stored: FloatArray,
    momentum: FloatArray | undefined,
    hyper: SgdHyper,
  ): void;
  /** Copies `source` to every out, bit by bit. An out is disjoint from `source` or the same array. */
  copy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void;
  /**
   * `out[i] = source[i]` in the dtype of `out`: a float becomes int32 truncated toward zero and
   * saturated, NaN becomes 0; float64 becomes float32 rounded to nearest, ties to even. `out` is
   * disjoint from `source`, or the same array.
   */
  cast(source: DenseArray, out: DenseArray): void;
  /**
   * The same elements in a typed array whose buffer is no `SharedArrayBuffer`, for libraries that
   * refuse those. Writes are seen both ways; the shared memory lives as long as the result.
   */
  unsharedView<T extends AnyTypedArray>(view: T): T;
}

/** Instruction sets that kernels are compiled for; `none` stands for TypeScript. */
export type Cpu = 'baseline' | 'avx2' | 'avx512' | 'neon' | 'none';

/** One implementation of the kernels. All give the same bits, the payloads of NaNs apart. */
export interface Kernels extends KernelFunctions {
  readonly name: 'native' | 'reference';
  readonly cpu: Cpu;
}
