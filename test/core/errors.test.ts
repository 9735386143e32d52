import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import test from 'ava';
import { describe, fromFailure, show, showKey, toFailure } from '../../src/core/errors.js';
import { KVStoreError, type ErrorCode } from '../../src/index.js';
import { propertySettings } from '../helpers/random.js';

test('an error carries its code, its key and its rank', (t) => {
  const cause = new TypeError('no');
  const error = new KVStoreError('peer_dead', 'rank 2 is gone', { key: 'bias', rank: 2, cause });
  t.true(error instanceof Error);
  t.is(error.name, 'KVStoreError');
  t.is(error.code, 'peer_dead');
  t.is(error.message, 'rank 2 is gone');
  t.is(error.key, 'bias');
  t.is(error.rank, 2);
  t.is(error.cause, cause);
  t.is(String(error), 'KVStoreError: rank 2 is gone');
});

test('an error without context claims none', (t) => {
  const error = new KVStoreError('closed', 'closed');
  t.is(error.key, undefined);
  t.is(error.rank, undefined);
  t.false('cause' in error);
});

test('key 0 and rank 0 are context like any other', (t) => {
  const { key, rank } = fromFailure(
    toFailure(new KVStoreError('timeout', 'x', { key: 0, rank: 0 })),
  );
  t.deepEqual([key, rank], [0, 0]);
});

test('every error survives the way to data and back', (t) => {
  const codes: ErrorCode[] = ['unknown_key', 'memory_limit', 'peer_dead', 'timeout'];
  const key = fc.option(fc.oneof(fc.nat(), fc.string({ minLength: 1 })), { nil: undefined });
  const rank = fc.option(fc.nat(), { nil: undefined });
  const property = fc.property(
    fc.constantFrom(...codes),
    fc.string(),
    fc.record({ key, rank }),
    (code, message, context) => {
      const back = fromFailure(toFailure(new KVStoreError(code, message, context)));
      t.true(back instanceof KVStoreError);
      t.deepEqual([back.code, back.message], [code, message]);
      t.deepEqual({ key: back.key, rank: back.rank }, context);
    },
  );
  fc.assert(property, propertySettings(100));
});

test('a failure crosses a thread whole, with its cause in words', async (t) => {
  const { port1, port2 } = new MessageChannel();
  const error = new KVStoreError('updater_error', 'it threw', {
    key: 3,
    cause: new RangeError('9'),
  });
  port1.postMessage(toFailure(error));
  const [failure] = (await once(port2, 'message')) as [ReturnType<typeof toFailure>];
  port1.close();
  t.deepEqual(failure, {
    code: 'updater_error',
    message: 'it threw',
    key: 3,
    cause: 'RangeError: 9',
  });
  t.is(fromFailure(failure).cause, 'RangeError: 9');
});

test('whatever was thrown becomes a failure', (t) => {
  t.deepEqual(toFailure(new TypeError('no')), { code: 'bad_argument', message: 'TypeError: no' });
  t.deepEqual(toFailure('text', 'updater_error'), { code: 'updater_error', message: 'text' });
  for (const thrown of [undefined, null, 5, 5n, Symbol('s'), {}, Object.create(null), () => 1]) {
    const failure = toFailure(thrown);
    t.is(failure.code, 'bad_argument');
    t.notThrows(() => structuredClone(failure));
  }
});

test('describe says what was thrown in words', (t) => {
  t.is(describe(new RangeError('too far')), 'RangeError: too far');
  t.is(describe('as it is'), 'as it is');
  t.is(describe(undefined), 'undefined');
  t.is(describe({ a: 1 }), 'a value of class Object');
});

class Stranger {}
const shown: readonly (readonly [unknown, string])[] = [
  ['short', '"short"'],
  ['a "quoted" one', '"a \\"quoted\\" one"'],
  ['x'.repeat(60), `"${'x'.repeat(60)}"`],
  ['x'.repeat(61), `"${'x'.repeat(57)}..."`],
  [5, '5'],
  [-0, '0'],
  [Number.NaN, 'NaN'],
  [5n, '5n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [true, 'true'],
  [Symbol('s'), 'Symbol(s)'],
  [[1, 2], 'an array of 2'],
  [new Stranger(), 'a value of class Stranger'],
  [Object.create(null), 'a value of class Object'],
  [function named() {}, 'a function named'],
  [() => 1, 'a function'],
];
test('show gives any value in a few words', (t) => {
  for (const [value, text] of shown) t.is(show(value), text);
});

test('showKey tells a number from a string', (t) => {
  t.deepEqual([showKey(3), showKey('3')], ['key 3', 'key "3"']);
});
