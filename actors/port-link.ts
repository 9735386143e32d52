import { isMainThread, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { attachDevice } from '../native/engine.js';
import type { FromCoordinator, Rank } from '../src/core/protocol.js';
import { Binder } from './bindings.js';
import { DirectPath } from './direct-path.js';
import type { Link } from './link.js';

/** Where the coordinator of a store is. */
export interface CoordinatorAddress {
  readonly port: MessagePort;
  /** The number of the store's engine; undefined where there is none. */
  readonly engine: number | undefined;
  readonly rank: Rank;
}

/** A link over a message port; the coordinator's side of it is in `coordinator-host.ts`. */
export function portLink({ port, engine, rank }: CoordinatorAddress): Link {
  let direct: DirectPath | undefined;
  let onBatch: (batch: readonly FromCoordinator[]) => void = () => undefined;
  const hear = (batch: readonly FromCoordinator[]): void => {
    for (const each of batch) if (each.type === 'keys') direct?.learn(each.keys);
    onBatch(batch);
  };
  const binder = new Binder(
    (number, tensor) => direct?.bound(number, tensor),
    (numbers) => direct?.unbound(numbers),
  );
  if (engine !== undefined) {
    const device = attachDevice(engine, rank, () => direct?.look());
    const post = (): void => {
      const news = binder.news();
      if (news.length > 0) port.postMessage(news);
    };
    direct = device && new DirectPath(device, { bind: (tensor) => binder.bind(tensor), post });
  }
  return {
    post: (batch) => port.postMessage(binder.encode(batch)),
    listen: (listener) => {
      onBatch = listener;
      port.on('message', hear);
      port.unref(); // Listening refs the port, but an idle store must not keep an app running.
    },
    keepAlive: (on) => (on ? port.ref() : port.unref()),
    close: () => {
      direct?.close();
      port.close();
    },
    direct,
    wait: isMainThread ? undefined : direct && waiting(direct, port, hear),
  };
}

/** How a thread waits for either way to bring something. */
function waiting(
  direct: DirectPath,
  port: MessagePort,
  hear: (batch: readonly FromCoordinator[]) => void,
): (sliceMs: number) => void {
  return (sliceMs) => {
    direct.wait(sliceMs);
    for (;;) {
      const next = receiveMessageOnPort(port) as
        { readonly message: readonly FromCoordinator[] } | undefined;
      if (next === undefined) return;
      hear(next.message);
    }
  };
}
