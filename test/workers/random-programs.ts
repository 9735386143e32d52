import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { cpu } from '../../src/index.js';
import { first, second } from '../helpers/cuda-tensors.js';
import type { Side } from '../helpers/groups.js';
import { compareSides, type PlacedSide } from '../planes/agreement.js';

/** A thread that may block, for blocking calls: planes/agreement.test.ts, cuda/programs.test.ts. */
const { count, seed, cudaSide } = workerData as {
  readonly count: number;
  readonly seed: number;
  /** Who runs the programs whose tensors are on CUDA devices, most of them; others are compared. */
  readonly cudaSide?: Side;
};
const places = [first, second, cpu(2)] as const;
const sides: readonly [PlacedSide, PlacedSide] | undefined = cudaSide && [
  { side: cudaSide, place: (device) => places[device] },
  { side: 'reference', place: cpu },
];

assert(parentPort !== null);
Error.stackTraceLimit = 0; // Many calls fail, and stacks would cost most of the time.
try {
  parentPort.postMessage({ calls: await compareSides(count, seed, sides) });
} catch (error) {
  parentPort.postMessage({ problem: error instanceof Error ? error.message : String(error) });
}
