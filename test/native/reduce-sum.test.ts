import test from 'ava';
import fc from 'fast-check';
import type { DType } from '../../src/core/dtypes.js';
import * as reference from '../../native/reference.js';
import { firstDifference, guarded, guardedCopy, randoms, zeros } from '../helpers/floats.js';
import {
  checkProperty,
  compiledKernels,
  counts,
  everyKernels,
  expect,
  lengths,
  types,
} from './support.js';

function manyInputs<T extends DType>(count: number, length: number, type: T) {
  return Array.from({ length: count }, (_, k) =>
    guardedCopy(randoms(length, 1000 * count + k, type), k % 4, type),
  );
}

for (const kernels of compiledKernels) {
  for (const type of types) {
    test(`V2: reduceSum equals the reference: ${kernels.cpu}, ${type}`, (t) => {
      for (const count of counts) {
        for (const length of lengths) {
          const inputs = manyInputs(count, length, type);
          const views = inputs.map(({ data }) => data);
          const expected = zeros(length, type);
          reference.reduceSum(views, expected, type);

          const actual = guarded(length, (count + 1) % 4, type);
          kernels.reduceSum(views, actual.data, type);

          const at = firstDifference(actual.data, expected, type);
          expect(at === -1, `${count} inputs, length ${length}, element ${at}`);
          expect(actual.isIntact(), `bytes outside of out, length ${length}`);
        }
      }
      t.pass();
    });

    test(`reduceSum may write over any of its inputs: ${kernels.cpu}, ${type}`, (t) => {
      for (const count of [1, 2, 8, 9, 17]) {
        for (let over = 0; over < count; over++) {
          const inputs = manyInputs(count, 777, type);
          const views = inputs.map(({ data }) => data);
          const expected = zeros(777, type);
          reference.reduceSum(views, expected, type);
          kernels.reduceSum(views, views[over]!, type);
          const at = firstDifference(views[over]!, expected, type);
          expect(at === -1, `input ${over} of ${count}, element ${at}`);
          expect(inputs[over]!.isIntact(), `bytes outside of input ${over}`);
        }
      }
      t.pass();
    });
  }
}

for (const kernels of everyKernels) {
  test(`reduceSum takes one array many times: ${kernels.cpu}`, (t) => {
    const input = Float64Array.from({ length: 100 }, (_, i) => i);
    const out = new Float64Array(100);
    kernels.reduceSum(
      Array.from({ length: 33 }, () => input),
      out,
    );
    t.true(out.every((sum, i) => sum === 33 * i));
    kernels.reduceSum([out, out, out], out);
    t.true(out.every((sum, i) => sum === 99 * i));
  });

  test(`reduceSum equals the reference for any input: ${kernels.cpu}`, (t) => {
    const cases = fc.record({
      type: fc.constantFrom(...types),
      count: fc.integer({ min: 1, max: 20 }),
      length: fc.integer({ min: 0, max: 3000 }),
      seed: fc.nat(),
    });
    checkProperty(t, cases, ({ type, count, length, seed }) => {
      const inputs = Array.from({ length: count }, (_, k) => randoms(length, seed + k, type));
      const expected = zeros(length, type);
      reference.reduceSum(inputs, expected, type);
      const actual = guarded(length, seed % 5, type);
      kernels.reduceSum(inputs, actual.data, type);
      expect(firstDifference(actual.data, expected, type) === -1, 'the sum');
      expect(actual.isIntact(), 'bytes outside of out');
    });
  });

  test(`reduceSum refuses what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const four = new Float32Array(4);
    const wide = new Float32Array(8);
    const shifted = { message: /must not overlap in part/ };
    t.throws(() => kernels.reduceSum([], four), { message: /at least one input/ });
    t.throws(() => kernels.reduceSum([new Float32Array(3)], four), { message: /one length/ });
    t.throws(() => kernels.reduceSum([new Float64Array(4)], four), { message: /one type/ });
    t.throws(() => kernels.reduceSum([wide.subarray(0, 4)], wide.subarray(1, 5)), shifted);
    t.throws(() => kernels.reduceSum([four, wide.subarray(2, 6)], wide.subarray(1, 5)), shifted);
    const bits = new Uint16Array(4);
    t.throws(() => kernels.reduceSum([bits], bits), { message: /told the dtype/ });
    t.throws(() => kernels.reduceSum([four], four, 'float64'), { message: /does not hold/ });
    t.throws(() => kernels.reduceSum([new Uint32Array(4)] as never, new Uint32Array(4) as never), {
      message: /told the dtype/,
    });
    t.throws(() => kernels.reduceSum([[1, 2, 3, 4]] as never, four), { message: /typed arrays/ });
    t.notThrows(() => kernels.reduceSum([wide.subarray(0, 4)], wide.subarray(4)));
  });
}
