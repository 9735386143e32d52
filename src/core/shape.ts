import { KVStoreError, show } from './errors.js';

/** Lengths of a tensor's dimensions, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/** Elements in a tensor of `shape`. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** A frozen copy of `shape` (a number stands for one dimension), or `bad_argument`. */
export function toShape(shape: unknown): Shape {
  const given: unknown = typeof shape === 'number' ? [shape] : shape;
  const list: unknown = Array.isArray(given) ? Array.from(given as unknown[]) : given; // No holes.
  const valid = Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!valid || !Number.isSafeInteger(sizeOf(list as number[]))) {
    const got = Array.isArray(list) ? `[${list.map(show).join(', ')}]` : show(shape);
    throw new KVStoreError(
      'bad_argument',
      `expected a shape (an array of integers from 0 up), got ${got}`,
    );
  }
  return Object.freeze([...(list as number[])]);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i]);
}

/** A shape as messages print it: `[2, 3]`. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}
