import type { MessagePort } from 'node:worker_threads';
import { Binder } from './bindings.js';
import type { FromCoordinator, ToCoordinator } from '../src/core/protocol.js';

/** The way from one device to its coordinator and back, in batches, in order. */
export interface Link {
  post(batch: readonly ToCoordinator[]): void;
  listen(onBatch: (batch: readonly FromCoordinator[]) => void): void;
  /** While on, an answer on its way keeps this thread alive. */
  keepAlive(on: boolean): void;
  close(): void;
}

/** A link over a message port; the coordinator's side of it is in `coordinator-host.ts`. */
export function portLink(port: MessagePort): Link {
  const binder = new Binder();
  return {
    post: (batch) => port.postMessage(binder.encode(batch)),
    listen: (onBatch) => {
      port.on('message', onBatch);
      port.unref(); // Listening refs the port, but an idle store must not keep an app running.
    },
    keepAlive: (on) => (on ? port.ref() : port.unref()),
    close: () => port.close(),
  };
}
