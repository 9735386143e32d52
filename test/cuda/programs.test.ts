import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { isReplay, seed } from '../helpers/random.js';
import { serialCudaTest as test } from '../helpers/cuda.js';

interface Report {
  readonly calls?: number;
  /** The smallest program found on which the two differ, and its seed. */
  readonly problem?: string;
}

for (const side of ['reference', 'engine'] as const) {
  test(`random programs on CUDA devices end in the bits of the CPU (${side})`, async (t) => {
    t.timeout(300_000);
    const entry = new URL('../workers/random-programs.js', import.meta.url);
    const count = isReplay ? 1000 : 300;
    const thread = new Worker(entry, { workerData: { count, seed, cudaSide: side } });
    const [report] = (await once(thread, 'message')) as [Report];
    await thread.terminate();
    t.is(report.problem, undefined, `replay with TENSORKV_SEED=${seed}`);
  });
}
