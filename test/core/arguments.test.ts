import { inspect } from 'node:util';
import test from 'ava';
import { assertOptions, count, positive } from '../../src/core/options.js';
import { monotonicMs } from '../../src/core/protocol.js';
import { sameShape, showShape, sizeOf, toShape } from '../../src/core/shape.js';
import { runUpdater } from '../../src/core/updaters.js';
import { KVStoreError, ones, type Key, type Tensor } from '../../src/index.js';

const instanceOf = KVStoreError;

test('options may be left out or undefined, and have known names', (t) => {
  t.notThrows(() => assertOptions({}, [], 'push'));
  t.notThrows(() => assertOptions({ out: undefined }, ['out'], 'pull'));
  t.notThrows(() => assertOptions(Object.create(null), ['out'], 'pull'));
});

test('an option that does not exist is named, with those that do', (t) => {
  t.throws(() => assertOptions({ ou: 1 }, ['out', 'view'], 'pull'), {
    instanceOf,
    code: 'bad_argument',
    message: 'pull expected options out, view, got "ou"',
  });
  t.throws(() => assertOptions({ ou: 1 }, [], 'push'), {
    instanceOf,
    code: 'bad_argument',
    message: 'push expected no options, got "ou"',
  });
});

for (const options of [null, undefined, 5, 'out', [], ones([1]), new Map(), () => 1]) {
  test(`${inspect(options, { compact: true }).split('\n')[0]} is no object of options`, (t) => {
    t.throws(() => assertOptions(options, ['out'], 'pull'), {
      instanceOf,
      code: 'bad_argument',
      message: /^pull expected an options object, got /,
    });
  });
}

test('positive lets numbers above 0 through, Infinity too', (t) => {
  for (const x of [1, 0.001, Infinity]) t.is(positive(x, 'timeoutMs'), x);
  for (const x of [0, -1, Number.NaN, -Infinity, '1', null, undefined, 1n]) {
    t.throws(() => positive(x, 'timeoutMs'), {
      instanceOf,
      code: 'bad_argument',
      message: /^timeoutMs expected a number above 0, got /,
    });
  }
});

test('count lets integers from 1 up through', (t) => {
  for (const x of [1, 2, Number.MAX_SAFE_INTEGER]) t.is(count(x, 'devices'), x);
  for (const x of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53, '1', null, undefined, 1n]) {
    t.throws(() => count(x, 'devices'), {
      instanceOf,
      code: 'bad_argument',
      message: /^devices expected an integer from 1 up, got /,
    });
  }
});

test('a shape knows its size, its equals and its looks', (t) => {
  t.deepEqual([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0])], [1, 6, 0]);
  t.true(sameShape([2, 3], [2, 3]));
  t.true(sameShape([], []));
  t.false(sameShape([2, 3], [3, 2]));
  t.false(sameShape([2], [2, 1]));
  t.deepEqual([showShape([]), showShape([2, 3])], ['[]', '[2, 3]']);
  t.deepEqual(toShape(4), [4]);
});

test('S12: an updater edits the stored tensor in place', (t) => {
  const stored = ones([2]);
  runUpdater((_, input, target) => void target.add_(input, 2), 3, ones([2]), stored);
  t.deepEqual(stored.toArray(), [3, 3]);
});

test('S12: what an updater throws becomes updater_error with key and cause', (t) => {
  const cause = new TypeError('oops');
  const fail = (): void => {
    throw cause;
  };
  const error = t.throws(() => runUpdater(fail, 'bias', ones([1]), ones([1])), {
    instanceOf,
    code: 'updater_error',
    message: 'the updater threw for key "bias": TypeError: oops',
  });
  t.is(error.key, 'bias');
  t.is(error.cause, cause);
});

test('S12: an updater that returns a promise is refused, and its rejection is handled', (t) => {
  const later = (): Promise<never> => Promise.reject(new Error('later'));
  const updater = later as unknown as (key: Key, input: Tensor, stored: Tensor) => void;
  t.throws(() => runUpdater(updater, 1, ones([1]), ones([1])), {
    instanceOf,
    code: 'updater_error',
    message: 'the updater for key 1 expected to be synchronous, got a promise',
  });
});

test('the clock of deadlines never goes back', (t) => {
  let last = monotonicMs();
  for (let i = 0; i < 1000; i++) {
    const now = monotonicMs();
    t.true(now >= last);
    last = now;
  }
});
