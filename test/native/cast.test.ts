import test from 'ava';
import fc from 'fast-check';
import * as reference from '../../native/reference.js';
import { firstDifference, guarded, guardedCopy, randoms, zeros } from '../helpers/floats.js';
import { checkProperty, everyKernels, expect, lengths, types } from './support.js';

const edges = [
  ...[NaN, Infinity, -Infinity, 0, -0, 0.5, -0.5, 1.5, -1.5, 0.99999999, 5e-324, 1e-45, 1e-40],
  ...[2 ** 31, 2 ** 31 - 1, 2 ** 31 - 64, 2 ** 31 - 128, 2 ** 31 - 0.5, 2 ** 32, 1e300],
  ...[-(2 ** 31), -(2 ** 31) - 1, -(2 ** 31) - 0.5, -(2 ** 31) + 1, -(2 ** 31) - 256, -1e300],
  ...[2 ** 24 + 1, 2 ** 24 + 3, -(2 ** 24) - 1, 3.4028235677973366e38, 3.4028235e38, 7e-46],
];

for (const kernels of everyKernels) {
  for (const from of types) {
    for (const to of types) {
      test(`cast equals the reference: ${kernels.cpu}, ${from} to ${to}`, (t) => {
        for (const length of lengths) {
          const source = guardedCopy(randoms(length, length, from), length % 4, from).data;
          const expected = zeros(length, to);
          reference.cast(source, expected);
          const actual = guarded(length, (length + 1) % 3, to);
          kernels.cast(source, actual.data);
          const at = firstDifference(actual.data, expected);
          expect(at === -1, `length ${length}, element ${at}: ${source[at]}`);
          expect(actual.isIntact(), `bytes outside of out, length ${length}`);
        }
        t.pass();
      });

      test(`cast equals the reference at the edges: ${kernels.cpu}, ${from} to ${to}`, (t) => {
        const source = zeros(edges.length, from);
        source.set(edges);
        const [expected, actual] = [zeros(edges.length, to), zeros(edges.length, to)];
        reference.cast(source, expected);
        kernels.cast(source, actual);
        t.is(firstDifference(actual, expected), -1);
        // And alone, where the loop has no vector to fill.
        for (let i = 0; i < edges.length; i++) {
          const alone = zeros(1, to);
          kernels.cast(source.subarray(i, i + 1), alone);
          t.is(firstDifference(alone, expected.subarray(i, i + 1)), -1, `${source[i]}`);
        }
      });
    }
  }

  test(`cast equals the reference for any numbers: ${kernels.cpu}`, (t) => {
    const cases = fc.record({
      from: fc.constantFrom(...types),
      to: fc.constantFrom(...types),
      values: fc.array(fc.double(), { maxLength: 300 }),
    });
    checkProperty(t, cases, ({ from, to, values }) => {
      const source = zeros(values.length, from);
      source.set(values);
      const [expected, actual] = [zeros(values.length, to), zeros(values.length, to)];
      reference.cast(source, expected);
      kernels.cast(source, actual);
      expect(firstDifference(actual, expected) === -1, from, to);
    });
  });

  test(`cast refuses what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const bytes = new ArrayBuffer(32);
    const floats = new Float32Array(bytes);
    t.throws(() => kernels.cast(floats, new Int32Array(7)), { message: /one length/ });
    t.throws(() => kernels.cast(floats, new Int32Array(bytes)), { message: /another array/ });
    t.throws(() => kernels.cast(floats.subarray(0, 4), floats.subarray(1, 5)), {
      message: /must not overlap in part/,
    });
    t.throws(() => kernels.cast(new BigInt64Array(8) as never, floats), {
      message: /no cast from this type/,
    });
    t.throws(() => kernels.cast(floats, new Uint8Array(8) as never), {
      message: /no cast to this type/,
    });
    t.notThrows(() => kernels.cast(floats, floats));
  });
}
