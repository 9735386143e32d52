import { parentPort, workerData } from 'node:worker_threads';
import { runCloneWorker, type CloneStart } from './structured-clone.js';

// Entry of a worker of the rival that clones.
runCloneWorker(workerData as CloneStart, parentPort!);
