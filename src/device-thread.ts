import { workerData } from 'node:worker_threads';
import type { DeviceStart } from '../actors/device-group.js';
import { runProgram, type ProgramStart } from './worker-program.js';

// Entry of a device thread: one program to its end.
await runProgram(workerData as DeviceStart<ProgramStart>);
