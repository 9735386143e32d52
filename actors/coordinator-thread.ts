import { parentPort, workerData } from 'node:worker_threads';
import type { CoordinatorOptions } from '../src/core/protocol.js';
import { hostCoordinator, type CoordinatorControl } from './coordinator-host.js';
import { serve } from './rpc.js';
import { StatusBlock } from './status.js';

// Entry of a coordinator thread: it ends when it is told to stop and nothing else keeps it.
const options = workerData as CoordinatorOptions;
process.once('exit', () => new StatusBlock(options.status).end());
const port = parentPort!;
const control = hostCoordinator(options, (stalled) => port.postMessage(stalled));
const stop: CoordinatorControl['stop'] = () => {
  control.stop();
  setImmediate(() => port.close()); // After the answer to this call is out.
};
serve({ ...control, stop }, port);
