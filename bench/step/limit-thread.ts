import { parentPort, workerData } from 'node:worker_threads';
import { runLimitThread, type LimitStart } from './limit.js';

// Entry of a helper thread of the limit.
runLimitThread(workerData as LimitStart, () => parentPort!.postMessage('done'));
