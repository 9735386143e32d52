import { parentPort, workerData } from 'node:worker_threads';
import { runKernelThread, type KernelStart } from './kernels.js';

// Entry of a helper thread of the kernels without a store.
runKernelThread(workerData as KernelStart, () => parentPort!.postMessage('done'));
