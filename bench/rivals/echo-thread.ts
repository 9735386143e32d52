import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { runEchoWorker } from './echo.js';

// Entry of the thread that answers with what it is sent.
runEchoWorker(parentPort!, workerData as MessagePort);
