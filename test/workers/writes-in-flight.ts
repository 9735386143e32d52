import { defineWorker, KVStoreError, ones, zeros } from '../../src/index.js';

const outcome = (error: unknown): string =>
  error instanceof KVStoreError ? `${error.code} ${error.key}` : String(error);

/** Uses tensors of calls that are open, and gives what comes of it. */
export default defineWorker(async ({ kv }) => {
  await kv.init(['w', 'b'], [zeros(4), zeros(4)]);
  const outcomes: string[] = [];
  const value = ones(4);
  const push = kv.push('b', value);
  value.data[0] = 5;
  outcomes.push(await push.then(() => 'done', outcome));
  const out = zeros(4);
  const pull = kv.pull('w', { out });
  try {
    kv.pushSync('b', out);
  } catch (error) {
    outcomes.push(outcome(error));
  }
  await pull;
  // A blocking call is behind those on its key: they have ended, and their tensors are free.
  const earlier = kv.push('w', value);
  kv.pullSync('w');
  value.data[0] = 6;
  outcomes.push(await earlier.then(() => 'done', outcome));
  const before = kv.push('w', value);
  kv.pushSync('w', ones(4));
  kv.pullSync('b', { out: value });
  outcomes.push(await before.then(() => 'done', outcome));
  return outcomes;
});
