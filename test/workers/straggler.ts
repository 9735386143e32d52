import { defineWorker, KVStoreError, ones, zeros, type Tensor } from '../../src/index.js';

interface Args {
  /** int32: counts the workers that have started, and those that have been told of their timeout. */
  readonly gate: Tensor;
}

/** Adds this worker to a count, then waits until it is `count`. */
function meet(counts: Int32Array, index: number, count: number): void {
  Atomics.add(counts, index, 1);
  Atomics.notify(counts, index);
  for (let now = 0; now < count; now = Atomics.load(counts, index)) {
    Atomics.wait(counts, index, now);
  }
}

/** All but the last push; the last does other things with the store until each of them was told so. */
export default defineWorker<Args, unknown>(async ({ kv, rank, numWorkers, args }) => {
  const counts = args.gate.data as Int32Array;
  meet(counts, 0, numWorkers); // Threads start at different times, which is not the subject.
  await kv.init('w', zeros(1));
  if (rank === numWorkers - 1) {
    while (Atomics.load(counts, 1) < numWorkers - 1) {
      await kv.pull('w');
      Atomics.wait(counts, 1, Atomics.load(counts, 1), 20);
    }
    return 'late';
  }
  const error = (await kv.push('w', ones(1)).catch((thrown: unknown) => thrown)) as KVStoreError;
  Atomics.add(counts, 1, 1);
  return { code: error.code, key: error.key, rank: error.rank, message: error.message };
});
