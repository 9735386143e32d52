import {
  rowSparse,
  Tensor,
  tensor,
  zeros,
  type AnyTensor,
  type Device,
  type DType,
  type RowSparseTensor,
} from '../../src/index.js';
import type { TensorData } from '../../src/core/dtypes.js';
import { sizeOf } from '../../src/core/shape.js';
import { arrayOf } from '../../src/core/tensor.js';
import { readingOf, type Reading } from './outcomes.js';
import type { KeyKind } from './program.js';

/** Numbers that sums round differently in every order, and that optimizers stumble over. */
const numbers = [
  0.1, -3, 1e8, -1e8, 1.5, 0, 7, -0.3, 2.25, 1e-3, -0, 33, 0.7, -1e-7, 3e9, 1, -5.5, 0.01, 4, -2,
];
const rare = [NaN, Infinity, -Infinity, 3e38];
const period = 64;

const periods = new Map<string, TensorData>();

/** The elements of a dtype that follow from `start`, up to a period of them. */
function elementsOf(dtype: DType, length: number, start: number): TensorData {
  const rareAt = start % 8 === 0 && length > 0 ? start % length : -1;
  const which = (start >>> 3) % rare.length;
  const name = `${dtype} ${length} ${start % numbers.length} ${rareAt} ${rareAt < 0 ? 0 : which}`;
  const known = periods.get(name);
  if (known !== undefined) return known;
  const elements = Array.from({ length }, (_, i) => {
    const x = numbers[(start + i * 7) % numbers.length]!;
    return dtype === 'uint8' ? Math.abs(x) % 200 : x;
  });
  if (rareAt >= 0) elements[rareAt] = rare[which]!;
  const { data } = tensor(Float64Array.from(elements), { dtype: dtype as 'float32' });
  periods.set(name, data);
  return data;
}

/** Where the tensors live that are made for one of three devices. */
export type Place = (device: 0 | 1 | 2) => Device;

/** A tensor of a kind whose elements follow from `seed`; every eighth has one that is not finite. */
function make(
  { dtype, shape }: Pick<KeyKind, 'dtype' | 'shape'>,
  seed: number,
  place: Place,
): AnyTensor {
  const length = sizeOf(shape);
  const start = Math.imul(seed, 0x9e3779b1) >>> 0;
  const elements = elementsOf(dtype, Math.min(length, period), start);
  const made = zeros(shape, { dtype: dtype as 'float32' });
  for (let at = 0; at < length; at += period) {
    made.data.set(elements.subarray(0, length - at) as Float32Array, at);
  }
  const device = place((start % 3) as 0 | 1 | 2);
  return device.type === 'cpu' ? Tensor.fromHandle({ ...made.handle(), device }) : made.to(device);
}

/** Where tensors come from: of one device for one key, or of one call. Made when first asked for. */
export class Pool {
  readonly name: string;
  readonly #seed: number;
  readonly #place: Place;
  readonly #made = new Map<string, AnyTensor>();

  constructor(name: string, seed: number, place: Place) {
    this.name = name;
    this.#place = place;
    this.#seed = seed * 31;
  }

  /** Tensor `pick` of a kind. Tensor 4 shares all of its elements but one with tensor 0. */
  get(pick: number, { dtype, shape }: KeyKind): AnyTensor {
    const like = `${dtype} ${shape.join('x')}`;
    const known = this.#made.get(`${like} ${pick}`);
    if (known !== undefined) return known;
    if (pick !== 0 && pick !== 4) {
      return this.add(`${like} ${pick}`, make({ dtype, shape }, this.#seed + pick, this.#place));
    }
    const length = sizeOf(shape);
    const both = make({ dtype, shape: [length + 1] }, this.#seed, this.#place);
    const [first, second] = [0, 1].map((offset) => {
      const data = arrayOf(both).subarray(offset, offset + length);
      return Tensor.fromHandle({ shape, dtype, device: both.device, data }) as AnyTensor;
    });
    this.add(`${like} 0`, first!);
    this.add(`${like} 4`, second!);
    return pick === 0 ? first! : second!;
  }

  /** Takes in a tensor that something writes to. */
  add(name: string, tensor_: AnyTensor): AnyTensor {
    this.#made.set(name, tensor_);
    return tensor_;
  }

  readings(): Reading[] {
    return [...this.#made].map(([name, each]) => readingOf(name, each));
  }
}

/** Some rows of a key of `shape` [n, ...]. */
export function someRows(
  { dtype, shape }: KeyKind,
  picks: readonly number[],
  seed: number,
  place: Place,
): RowSparseTensor {
  const ids = [...new Set(picks.map((pick) => pick % shape[0]!))];
  const rows = make({ dtype, shape: [ids.length, ...shape.slice(1)] }, seed, place);
  return rowSparse({ shape, indices: ids, rows, dtype: dtype as 'float32' });
}

const otherDtypes: readonly DType[] = [
  'float64',
  'float32',
  'int32',
  'float16',
  'int64',
  'bfloat16',
];

/** Zeros of the shape of a key and of another dtype. */
export function ofOtherDtype({ dtype, shape }: KeyKind, pick: number): AnyTensor {
  const other = otherDtypes[pick % otherDtypes.length]!;
  return zeros(shape, { dtype: (other === dtype ? 'int8' : other) as 'float32' });
}
