import { parentPort, workerData } from 'node:worker_threads';
import { runSharedWorker, type SharedStart } from './shared-array-buffer.js';

// Entry of a worker of the rival on shared memory.
runSharedWorker(workerData as SharedStart, () => parentPort!.postMessage('done'));
