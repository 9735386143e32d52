// A worker that holds views of shared memory until it is terminated: unshared-view.test.ts.
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { kernels } from '../../native/kernels.js';

const shared = workerData as Int32Array;
const views = Array.from({ length: 20 }, () => kernels.unsharedView(shared));
for (let i = 0; i < shared.length; i++) views[i % views.length]![i]! += 1;

assert(parentPort !== null);
// The listener keeps the worker, and with it the views, alive.
parentPort.on('message', () => views.fill(shared));
parentPort.postMessage('written');
