import { readFileSync, writeFileSync } from 'node:fs';
import { defineWorker, type Tensor } from '../../src/index.js';

export interface Args {
  /** Every device pushes it to every key: devices have no other memory of their own but `out`. */
  readonly gradient: Tensor;
  readonly out: Tensor;
  readonly keys: number;
  readonly steps: number;
  /** Options that leave updates to the engine, or ones that need the coordinator. */
  readonly options: Readonly<Record<string, number>>;
}

export interface Resident {
  readonly before: number;
  /** The highest since then. */
  readonly peak: number;
  /** An element of the last key. */
  readonly element: number;
}

/** Bytes that the process has in memory: now (`VmRSS`), or at most (`VmHWM`). */
function residentBytes(field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(
    readFileSync('/proc/self/status', 'utf8'),
  );
  return Number(line![1]) * 1024;
}

/** Trains a model as large as `keys` gradients; rank 0 says what memory that took. */
export default defineWorker<Args, Resident>(async ({ kv, rank, args }) => {
  const { gradient, out, steps, options } = args;
  const keys = Array.from({ length: args.keys }, (_, key) => key);
  const gradients = keys.map(() => gradient);
  await kv.barrier();
  if (rank === 0) writeFileSync('/proc/self/clear_refs', '5'); // The peak is that from now on.
  const before = residentBytes('VmRSS');
  await kv.barrier();
  await kv.init(keys, gradients);
  await kv.setOptimizer('sgd', { lr: 0.5, momentum: 0.5, ...options });
  for (let step = 0; step < steps; step++) {
    await kv.push(keys, gradients);
    if (rank === 0) for (const key of keys) await kv.pull(key, { out });
  }
  await kv.barrier();
  return { before, peak: residentBytes('VmHWM'), element: out.data[0]! };
});
