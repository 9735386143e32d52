import { defineWorker, full, KVStoreError, tensor, zeros } from '../../src/index.js';

/** What a device has seen. */
export interface Seen {
  readonly sums: readonly number[];
  readonly views: readonly number[];
  readonly updated: number;
  readonly codes: readonly string[];
}

const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'none';
  } catch (error) {
    return (error as KVStoreError).code;
  }
};

/** Trains without a promise: plain calls, calls that the coordinator answers, and wrong ones. */
export default defineWorker<undefined, Seen>(async ({ kv, rank, numWorkers }) => {
  await kv.init(['a', 'b', 'large'], [zeros(2), zeros(3), zeros(300_000)]);
  const sums: number[] = [];
  const views: number[] = [];
  const [gradient, large] = [full(2, rank + 1), full(300_000, rank)];
  const [out, other, many] = [zeros(2), zeros(3), zeros(300_000)];
  for (let round = 0; round < 50; round++) {
    kv.pushpullSync(['a', 'large'], [gradient, large], { out: [out, many] });
    void kv.push('b', full(3, round)); // Not awaited: blocking calls stay behind it.
    kv.pullSync('b', { out: other });
    kv.pushSync('b', full(3, rank));
    sums.push(out.data[1]!, many.data[299_999]!, other.data[2]! / numWorkers);
    const view = kv.pullSync('b', { view: true });
    views.push(view.elements().data[0]!);
    view.release();
    sums.push(kv.pullSync('a').data[0]!);
  }
  // The function runs on rank 0, which stands in a blocking call.
  await kv.setUpdater((_, input, stored) => stored.add_(input, 2));
  kv.pushSync('a', full(2, 1));
  const updated = kv.pullSync('a').data[0]!;
  const codes = [
    codeOf(() => kv.pullSync('missing')),
    codeOf(() => kv.pushSync('a', tensor([1, 2, 3]))),
    codeOf(() => kv.pushpullSync('a', gradient, { priority: NaN })),
  ];
  await kv.barrier();
  await kv.close();
  codes.push(codeOf(() => kv.pullSync('a')));
  return { sums, views, updated, codes };
});
