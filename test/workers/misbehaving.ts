import { readFileSync } from 'node:fs';
import { defineWorker, KVStoreError, ones, tensor, zeros, type KVStore } from '../../src/index.js';
import { dieBy } from '../helpers/deaths.js';

export type How =
  | 'throw'
  | 'throw words'
  | 'throw its own'
  | 'throw ours'
  | 'throw of node'
  | 'throw many'
  | 'throw an object'
  | 'throw a function'
  | 'throw nothing'
  | 'reject'
  | 'exit 0'
  | 'exit 3'
  | 'uncaught'
  | 'heap'
  | 'hang'
  | 'spin'
  | 'return';

interface Args {
  readonly how: How;
  readonly rank: number;
}

class OwnError extends Error {
  override readonly name = 'OwnError';
}

async function misbehave(how: How, kv: KVStore): Promise<void> {
  switch (how) {
    case 'throw':
      throw new RangeError('a fault');
    case 'throw words':
      throw 'just words'; // oxlint-disable-line no-throw-literal
    case 'throw its own':
      throw new OwnError('a fault');
    case 'throw ours':
      return kv.push(99, ones(1));
    case 'throw of node':
      readFileSync('/no such misbehaving file');
      return;
    case 'throw many': {
      const errors = [new Error('one'), new KVStoreError('bad_argument', 'two')];
      const cause = new TypeError('the cause');
      const aggregate = new AggregateError(errors, 'both failed', { cause });
      throw Object.assign(aggregate, { step: 7, callback: () => undefined });
    }
    case 'throw an object':
      throw { loss: NaN, step: 7 }; // oxlint-disable-line no-throw-literal
    case 'throw a function':
      throw function fault() {}; // oxlint-disable-line no-throw-literal
    case 'throw nothing':
      throw undefined; // oxlint-disable-line no-throw-literal
    case 'reject':
      return Promise.reject(new TypeError('a rejection'));
    case 'exit 0':
      return process.exit(0);
    case 'exit 3':
      return process.exit(3);
    case 'uncaught':
      setImmediate(() => {
        throw new RangeError('an uncaught fault');
      });
      return new Promise(() => undefined);
    case 'heap':
      return dieBy('heap');
    case 'hang':
      return new Promise(() => void setInterval(() => undefined, 1e6));
    case 'spin':
      for (;;);
    case 'return':
  }
}

/** One round together; then one misbehaves and the others push again. */
export default defineWorker<Args, unknown>(async ({ kv, rank, args, report }) => {
  await kv.init(0, zeros(1));
  await kv.pushpull(0, ones(1));
  if (rank === args.rank) {
    await misbehave(args.how, kv);
    return 'returned';
  }
  report('pushing again');
  try {
    const out = await kv.pushpull(0, tensor([10]));
    return { sum: out.data[0], dead: kv.numDeadNodes(), live: kv.stats().live };
  } catch (error) {
    const { code, key, message } = error as KVStoreError;
    const stored = await kv.pull(0);
    return { code, key, rank: (error as KVStoreError).rank, message, stored: stored.data[0] };
  }
});
