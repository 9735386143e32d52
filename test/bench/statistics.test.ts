import test from 'ava';
import { median, medianRatio, shuffled, uniforms } from '../../bench/statistics.js';

test('the median is the middle sample, or the mean of the two in the middle', (t) => {
  t.is(median([7]), 7);
  t.is(median([9, 1, 5]), 5);
  t.is(median([10, 2, 100, 4]), 7);
  t.is(median([3, 3, 3, 1000]), 3);
});

test('the median leaves its samples in their order', (t) => {
  const samples = [3, 1, 2];
  t.is(median(samples), 2);
  t.deepEqual(samples, [3, 1, 2]);
});

test('the median of nothing is an error', (t) => {
  t.throws(() => median([]), { message: 'a median needs at least one sample' });
});

test('the ratio is taken within each round, so a drift of the machine does not change it', (t) => {
  // Every round is slower than the one before; the variant takes twice as long in each.
  t.is(medianRatio([2, 8, 40], [1, 4, 20]), 2);
  // The ratio of the medians would be 10 / 4.
  t.is(medianRatio([30, 10, 1], [10, 4, 1]), 2.5);
  t.is(medianRatio([30, 10, 3], [10, 2, 4]), 3);
});

test('a ratio needs the same rounds on both sides', (t) => {
  t.throws(() => medianRatio([1, 2], [1]), { message: /as many samples/ });
});

test('a seed fixes the order of the variants, and the order changes from round to round', (t) => {
  const orders = (seed: number): string[] => {
    const random = uniforms(seed);
    return Array.from({ length: 20 }, () => shuffled(['a', 'b', 'c', 'd'], random).join(''));
  };
  t.deepEqual(orders(1), orders(1));
  t.notDeepEqual(orders(1), orders(2));
  t.true(new Set(orders(1)).size > 5);
  for (const order of orders(1)) t.is(order.split('').sort().join(''), 'abcd');
});

test('every variant comes first about as often as the others', (t) => {
  const random = uniforms(1);
  const firsts = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 3000; i++) firsts[shuffled(['a', 'b', 'c'] as const, random)[0]!] += 1;
  for (const count of Object.values(firsts)) t.true(count > 900 && count < 1100, String(count));
});
