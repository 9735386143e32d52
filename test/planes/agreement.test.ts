import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { isReplay, seed } from '../helpers/random.js';

interface Report {
  readonly calls?: number;
  /** The smallest program found on which the two differ, and its seed. */
  readonly problem?: string;
}

const programsEach = 1000;
const limitMs = 600_000;

/** Runs programs on a thread, which may block. */
async function compareOnThread(count: number, from: number): Promise<Report> {
  const entry = new URL('../workers/random-programs.js', import.meta.url);
  const thread = new Worker(entry, { workerData: { count, seed: from } });
  const [report] = (await once(thread, 'message')) as [Report];
  await thread.terminate();
  return report;
}

test('random programs of one to four devices end in the same bits with the engine and without', async (t) => {
  t.timeout(limitMs);
  // One thread a core; a seed is that of one of them.
  const seeds = isReplay ? [seed] : [seed, seed + 1];
  const reports = await Promise.all(seeds.map((each) => compareOnThread(programsEach, each)));
  for (const [i, { problem }] of reports.entries()) {
    t.is(problem, undefined, `replay with TENSORKV_SEED=${seeds[i]}`);
  }
});
