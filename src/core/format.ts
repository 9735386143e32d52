import type { DType, TensorData } from './dtypes.js';
import { codecOf } from './elements.js';
import { sizeOf, type Shape } from './shape.js';

const maxPrinted = 1000;
const edgeItems = 3;

/**
 * A tensor as a matrix that a person can read: aligned columns, the middle of long dimensions left
 * out above 1,000 elements, then a line with shape, dtype and device.
 */
export function formatTensor(data: TensorData, shape: Shape, dtype: DType, device: string): string {
  const summary = `<Tensor ${shape.length === 0 ? 'scalar' : shape.join('x')} ${dtype} ${device}>`;
  // An empty tensor can have long dimensions too.
  const edge = Math.max(sizeOf(shape), ...shape) > maxPrinted ? edgeItems : Infinity;
  const kept = keptIndices(shape, edge);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const element = (offset: number): number | bigint =>
    data instanceof BigInt64Array ? data[offset]! : codecOf(dtype).get(data, offset);
  const cell = cellFormat(visible(kept, strides).map(element));
  const at = (offset: number): string => cell(element(offset));
  return `${block({ kept, strides, at }, 0, 0)}\n${summary}`;
}

/** Per dimension the indices that are printed; -1 stands for those left out. */
function keptIndices(shape: Shape, edge: number): number[][] {
  return shape.map((length) => {
    if (length <= 2 * edge) return Array.from({ length }, (_, i) => i);
    const head = Array.from({ length: edge }, (_, i) => i);
    return [...head, -1, ...head.map((i) => length - edge + i)];
  });
}

/** Offsets of the elements that are printed. */
function visible(kept: number[][], strides: number[]): number[] {
  return kept.reduce(
    (all, indices, axis) =>
      all.flatMap((offset) =>
        indices.filter((i) => i >= 0).map((i) => offset + i * strides[axis]!),
      ),
    [0],
  );
}

/** One way to print all visible numbers: at most 6 significant digits, padded to one width. */
function cellFormat(values: readonly (number | bigint)[]): (x: number | bigint) => string {
  const text = (x: number | bigint): string =>
    typeof x === 'bigint' || (Number.isInteger(x) && Math.abs(x) < 1e15)
      ? String(x)
      : String(Number(x.toPrecision(6)));
  const width = Math.max(0, ...values.map((x) => text(x).length));
  return (x) => text(x).padStart(width);
}

/** What of a tensor is printed, and how one element is. */
interface Layout {
  readonly kept: readonly (readonly number[])[];
  readonly strides: readonly number[];
  readonly at: (offset: number) => string;
}

function block(layout: Layout, axis: number, offset: number): string {
  const { kept, strides, at } = layout;
  const indices = kept[axis];
  if (indices === undefined) return at(offset);
  const innermost = axis === kept.length - 1;
  const parts = indices.map((i) =>
    i < 0 ? '...' : block(layout, axis + 1, offset + i * strides[axis]!),
  );
  const blankLines = '\n'.repeat(kept.length - axis - 1);
  return `[${parts.join(innermost ? ', ' : `,${blankLines}${' '.repeat(axis + 1)}`)}]`;
}
