import test from 'ava';
import fc from 'fast-check';
import * as reference from '../../native/reference.js';
import { codecOf } from '../../src/core/elements.js';
import { firstDifference, guarded, guardedCopy, randoms, zeros } from '../helpers/floats.js';
import { checkProperty, everyKernels, expect, lengths, types } from './support.js';

const edges = [
  ...[NaN, Infinity, -Infinity, 0, -0, 0.5, -0.5, 1.5, -1.5, 0.99999999, 5e-324, 1e-45, 1e-40],
  ...[2 ** 31, 2 ** 31 - 1, 2 ** 31 - 64, 2 ** 31 - 128, 2 ** 31 - 0.5, 2 ** 32, 1e300],
  ...[-(2 ** 31), -(2 ** 31) - 1, -(2 ** 31) - 0.5, -(2 ** 31) + 1, -(2 ** 31) - 256, -1e300],
  ...[65504, 65519.99, 65520, -65520, 65536, 5.9e-8, 2.9e-8, 6.1e-5, 2 ** -25, 3 * 2 ** -26],
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -40, 1 + 2 ** -8, 1 + 2 ** -8 + 2 ** -30],
  ...[
    127,
    128,
    -128,
    -129,
    255,
    256,
    -1,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
    2 ** 63 - 1024,
    1e19,
    -1e19,
  ],
  ...[2 ** 24 + 1, 2 ** 24 + 3, -(2 ** 24) - 1, 3.4028235677973366e38, 3.4028235e38, 7e-46],
];

for (const kernels of everyKernels) {
  for (const from of types) {
    for (const to of types) {
      test(`V2: cast equals the reference: ${kernels.cpu}, ${from} to ${to}`, (t) => {
        for (const length of lengths) {
          const source = guardedCopy(randoms(length, length, from), length % 4, from).data;
          const expected = zeros(length, to);
          reference.cast(source, expected, from, to);
          const actual = guarded(length, (length + 1) % 3, to);
          kernels.cast(source, actual.data, from, to);
          const at = firstDifference(actual.data, expected, to);
          expect(at === -1, `length ${length}, element ${at}: ${source[at]}`);
          expect(actual.isIntact(), `bytes outside of out, length ${length}`);
        }
        t.pass();
      });

      test(`cast equals the reference at the edges: ${kernels.cpu}, ${from} to ${to}`, (t) => {
        const source = zeros(edges.length, from);
        edges.forEach((x, i) => codecOf(from).set(source, i, x));
        const [expected, actual] = [zeros(edges.length, to), zeros(edges.length, to)];
        reference.cast(source, expected, from, to);
        kernels.cast(source, actual, from, to);
        t.is(firstDifference(actual, expected, to), -1);
        // And alone, where the loop has no vector to fill.
        for (let i = 0; i < edges.length; i++) {
          const alone = zeros(1, to);
          kernels.cast(source.subarray(i, i + 1), alone, from, to);
          t.is(firstDifference(alone, expected.subarray(i, i + 1), to), -1, `${source[i]}`);
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
      values.forEach((x, i) => codecOf(from).set(source, i, x));
      const [expected, actual] = [zeros(values.length, to), zeros(values.length, to)];
      reference.cast(source, expected, from, to);
      kernels.cast(source, actual, from, to);
      expect(firstDifference(actual, expected, to) === -1, from, to);
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
    t.throws(() => kernels.cast(new Uint16Array(8), floats), { message: /told the dtype/ });
    t.throws(() => kernels.cast(floats, new Uint32Array(8) as never), {
      message: /told the dtype/,
    });
    t.throws(() => kernels.cast(floats, new Uint8Array(8), 'int32'), { message: /does not hold/ });
    t.notThrows(() => kernels.cast(floats, floats));
  });
}
