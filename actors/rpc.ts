import { expose, transfer, wrap, type Endpoint, type Remote } from 'comlink';
import * as adapter from 'comlink/dist/umd/node-adapter.js';
import type { MessagePort, Worker } from 'node:worker_threads';

/**
 * Control calls between threads. A call to a thread that has died stays pending for ever, and a
 * failure loses its code on the way: callers race it with the thread's exit and send failures as
 * data.
 */

// To TypeScript this is CommonJS; scripts/bundle.mjs takes the ES module, whose default is the function.
const nodeEndpoint = adapter.default as unknown as (port: MessagePort | Worker) => Endpoint;

/** Answers calls that come in on `port` with the methods of `api`. */
export function serve(api: object, port: MessagePort): void {
  expose(api, nodeEndpoint(port));
}

/** The methods that `worker` serves, each returning a promise. */
export function remote<Api extends object>(worker: Worker): Remote<Api> {
  return wrap<Api>(nodeEndpoint(worker));
}

/** `port`, marked to move to the other thread with the call that it is an argument of. */
export function moving(port: MessagePort): MessagePort {
  return transfer(port, [port] as unknown as Parameters<typeof transfer>[1]);
}
