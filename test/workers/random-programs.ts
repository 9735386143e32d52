import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { compareSides } from '../planes/agreement.js';

/** A thread that may block, for blocking calls: planes/agreement.test.ts. */
const { count, seed } = workerData as { readonly count: number; readonly seed: number };

assert(parentPort !== null);
Error.stackTraceLimit = 0; // Many calls fail, and stacks would cost most of the time.
try {
  parentPort.postMessage({ calls: await compareSides(count, seed) });
} catch (error) {
  parentPort.postMessage({ problem: error instanceof Error ? error.message : String(error) });
}
