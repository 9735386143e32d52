import { inspect } from 'node:util';
import fc from 'fast-check';
import test from 'ava';
import { assertKey, groupByKey, keyList, onePerKey, type Key } from '../../src/core/keys.js';
import { KVStoreError, ones, type Tensor } from '../../src/index.js';
import { propertySettings } from '../helpers/random.js';

const instanceOf = KVStoreError;
const [a, b, c, d] = [1, 2, 3, 4].map((length) => ones([length])) as [
  Tensor,
  Tensor,
  Tensor,
  Tensor,
];

for (const key of [0, 1, Number.MAX_SAFE_INTEGER, 'a', ' ', '0', '__proto__']) {
  test(`S1: ${inspect(key)} is a key`, (t) => {
    t.notThrows(() => assertKey(key));
  });
}

for (const key of [-1, 0.5, Number.NaN, Infinity, 2 ** 53, '', null, undefined, 1n, {}, true]) {
  test(`S1: ${inspect(key)} is no key`, (t) => {
    t.throws(() => assertKey(key), {
      instanceOf,
      code: 'bad_key_type',
      message: /^expected a key \(an integer from 0 up, or a non-empty string\), got /,
    });
  });
}

test('S1: a call has keys of one kind, and the stranger is named', (t) => {
  t.deepEqual(keyList(3), [3]);
  t.deepEqual(keyList(['a', 'b', 'a']), ['a', 'b', 'a']);
  t.deepEqual(keyList([]), []);
  const error = t.throws(() => keyList([1, 2, '3']), {
    instanceOf,
    code: 'mixed_key_types',
    message: 'expected number keys as key 1 is one, got key "3"',
  });
  t.is(error.key, '3');
});

test('S1: a hole in a list of keys is no key', (t) => {
  const holes: Key[] = [1, , 2] as Key[]; // oxlint-disable-line no-sparse-arrays
  t.throws(() => keyList(holes), { instanceOf, code: 'bad_key_type' });
});

test('S4: one key takes a tensor or a list of them', (t) => {
  t.deepEqual(groupByKey('w', a, 'values'), [{ key: 'w', tensors: [a] }]);
  t.deepEqual(groupByKey('w', [a, b], 'values'), [{ key: 'w', tensors: [a, b] }]);
});

test('S4: numbers that are no tensor are refused, with what to do', (t) => {
  const remedy = 'make a tensor of numbers with tensor(...)';
  for (const [value, got] of [
    [3, '3'],
    [[1, 2], '1'],
    [new Float32Array(2), 'a value of class Float32Array'],
  ] as const) {
    t.throws(() => groupByKey('w', value as never, 'values'), {
      instanceOf,
      code: 'bad_argument',
      message: `key "w" expected values to be a tensor or a list of tensors, got ${got}: ${remedy}`,
    });
  }
  t.throws(() => onePerKey('w', [1, 2] as never), {
    instanceOf,
    code: 'bad_argument',
    message: `key "w" expected the value to be one tensor, got an array of 2: ${remedy}`,
  });
  t.throws(() => groupByKey('w', undefined as never, 'values'), {
    instanceOf,
    message: 'key "w" expected values to be a tensor or a list of tensors, got undefined',
  });
});

test('S4: a list of keys takes a tensor or a list for each', (t) => {
  t.deepEqual(groupByKey([5, 3], [a, [b, c]], 'values'), [
    { key: 5, tensors: [a] },
    { key: 3, tensors: [b, c] },
  ]);
  t.deepEqual(groupByKey([], [], 'values'), []);
});

test('S4: a key that stands twice is one group', (t) => {
  t.deepEqual(groupByKey([5, 3, 5], [[a, b], c, d], 'values'), [
    { key: 5, tensors: [a, b, d] },
    { key: 3, tensors: [c] },
  ]);
});

test('S5: a tensor that stands twice counts twice', (t) => {
  t.deepEqual(groupByKey([1, 1], [[a, a], a], 'values'), [{ key: 1, tensors: [a, a, a] }]);
});

test('S4: grouping keeps every tensor, in order, under the key it was given for', (t) => {
  const keys: fc.Arbitrary<Key[]> = fc.oneof(
    fc.array(fc.nat(5)),
    fc.array(fc.constantFrom('a', 'b', '0', '__proto__', 'constructor')),
  );
  const lists = fc.infiniteStream(fc.array(fc.constantFrom(a, b, c, d), { minLength: 1 }));
  const property = fc.property(keys, lists, fc.boolean(), (given, stream, bare) => {
    const tensors = given.map(() => stream.next().value as Tensor[]);
    const call = tensors.map((list) => (bare && list.length === 1 ? list[0]! : list));
    const groups = groupByKey(given, call, 'values');

    t.deepEqual(
      groups.map(({ key }) => key),
      [...new Set(given)],
    );
    for (const group of groups) {
      const expected = tensors.filter((_, i) => given[i] === group.key).flat();
      t.is(group.tensors.length, expected.length);
      t.true(group.tensors.every((each, i) => each === expected[i]));
    }
  });
  fc.assert(property, propertySettings(300));
});

test('S4: grouping leaves the lists of its caller alone', (t) => {
  const [values, keys] = [[a], [7, 7]];
  groupByKey(keys, [values, b], 'values')[0]!.tensors.push(c);
  t.deepEqual(values, [a]);
  t.deepEqual(keys, [7, 7]);
});

test('S2: a key can be given very many tensors', (t) => {
  const many = Array.from({ length: 200_000 }, () => a);
  t.is(groupByKey(1, many, 'values')[0]!.tensors.length, many.length);
});

test('S4: as many tensors as keys, or both counts are named', (t) => {
  const message = 'expected a list of 2 values, one for each key, got 1';
  t.throws(() => groupByKey([1, 2], [a], 'values'), {
    instanceOf,
    code: 'length_mismatch',
    message,
  });
  const alone = 'expected a list of 2 outs, one for each key, got a value of class Tensor';
  t.throws(() => groupByKey([1, 2], a, 'outs'), {
    instanceOf,
    code: 'length_mismatch',
    message: alone,
  });
  t.throws(() => groupByKey([], [a], 'values'), { instanceOf, code: 'length_mismatch' });
});

test('S4: an empty list of values is an error that names its key', (t) => {
  const error = t.throws(() => groupByKey([1, 2], [a, []], 'values'), {
    instanceOf,
    code: 'length_mismatch',
    message: 'key 2 expected values, got an empty list',
  });
  t.is(error.key, 2);
});

for (const stranger of [1, 'a', null, undefined, {}, Float32Array.of(1), [1]]) {
  test(`S4: ${inspect(stranger)} is no tensor to push or pull`, (t) => {
    const bad = stranger as unknown as Tensor;
    for (const run of [
      () => groupByKey(1, bad, 'values'),
      () => groupByKey([1, 1], [a, bad], 'values'),
      () => groupByKey(1, [a, bad], 'values'),
      () => onePerKey(1, bad),
    ]) {
      const error = t.throws(run, {
        instanceOf,
        code: 'bad_argument',
        message: /^key 1 expected /,
      });
      t.is(error.key, 1);
    }
  });
}

test('S1: init takes one tensor for each key', (t) => {
  t.deepEqual(onePerKey('w', a), { keys: ['w'], values: [a] });
  t.deepEqual(onePerKey([2, 1], [a, b]), { keys: [2, 1], values: [a, b] });
  t.throws(() => onePerKey([2, 1], [a]), { instanceOf, code: 'length_mismatch' });
  t.throws(() => onePerKey([2, 1], a), { instanceOf, code: 'length_mismatch' });
  t.throws(() => onePerKey(2, [a] as readonly Tensor[]), { instanceOf, code: 'bad_argument' });
});
