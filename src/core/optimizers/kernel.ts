import type { Shape } from '../shape.js';

/** Typed arrays that optimizers compute with. Half types are computed in float32. */
export type FloatData = Float32Array | Float64Array;

/** How a result becomes an element: rounded to float32, or left as the double it is. */
export type Round = (x: number) => number;

/** What one step of an optimizer works on; all arrays have one length. */
export interface StepArrays {
  /** The weights, updated in place. */
  readonly w: FloatData;
  /** The round's sum: rescaled, clipped, and with the coupled weight decay added. May be changed. */
  readonly g: FloatData;
  /** The slots in the order of the optimizer, updated in place. */
  readonly slots: readonly FloatData[];
  /** Room of its own, as many elements as `extra` says, with anything in it. */
  readonly extra: FloatData;
  /** Position of the first element among those of the whole tensor. */
  readonly begin: number;
  readonly f: Round;
}

/**
 * One update rule as plain code: the meaning of the native kernel of the same name. Each operation
 * is rounded by `f` on its own, in the order that is written here, so that both give the same bits.
 */
export interface StepKernel {
  readonly name: string;
  readonly slots: number;
  /** Whether an element's update needs other elements: such kernels see the whole tensor at once. */
  readonly whole: boolean;
  /** Elements of room that it needs; nothing when left out. */
  readonly extra?: (shape: Shape) => number;
  /** Whether the native kernel needs the gradient again after its first pass. */
  readonly keepsGradient?: boolean;
  /** Updates `w` and the slots. `h` holds the hyper-parameters of the step. */
  run(arrays: StepArrays, h: readonly number[]): void;
}

/** Elements that are squared and added as one block, see `sumOfSquares`. */
export const normBlock = 512;
const lanes = 16;

/**
 * The sum of squares of `x`, in double precision and in one order for every machine: blocks of 512
 * elements, each in 16 interleaved lanes that are added in order, the blocks added in order.
 */
export function sumOfSquares(x: FloatData): number {
  let total = 0;
  const lane = new Float64Array(lanes);
  for (let begin = 0; begin < x.length; begin += normBlock) {
    lane.fill(0);
    const end = Math.min(begin + normBlock, x.length);
    for (let i = begin; i < end; i++) lane[(i - begin) % lanes]! += x[i]! * x[i]!;
    let block = 0;
    for (let k = 0; k < lanes; k++) block += lane[k]!;
    total += block;
  }
  return total;
}

/** -1, 0 or 1; NaN stays NaN. */
export function signOf(x: number): number {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

/** The first `Length` hyper-parameters, each rounded to the type that the step is computed in. */
export function rounded<Length extends number>(h: readonly number[], f: Round): Hyper<Length> {
  return h.map(f) as unknown as Hyper<Length>;
}

/** A list of `Length` numbers, to take apart by name. */
type Hyper<Length extends number, Made extends number[] = []> = Made['length'] extends Length
  ? Made
  : Hyper<Length, [...Made, number]>;
