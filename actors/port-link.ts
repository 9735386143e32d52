import { isMainThread, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { attachDevice } from '../native/engine.js';
import { statusWord } from '../src/core/layout.js';
import type { FromCoordinator, Rank, WireTensor } from '../src/core/protocol.js';
import { Binder, isOnCuda, received, type BoundMessage } from './bindings.js';
import { DirectPath } from './direct-path.js';
import type { Link } from './link.js';
import { Pulse } from './pulse.js';

/** Where the coordinator of a store is. */
export interface CoordinatorAddress {
  readonly port: MessagePort;
  /** The number of the store's engine; undefined where there is none. */
  readonly engine: number | undefined;
  readonly rank: Rank;
  /** The store's status block, see layout.ts. */
  readonly status: SharedArrayBuffer;
  /** Memory of the device's pulse. */
  readonly pulse: SharedArrayBuffer;
}

/** A link over a message port; the coordinator's side of it is in `coordinator-host.ts`. */
export function portLink({ port, engine, rank, status, pulse }: CoordinatorAddress): Link {
  let direct: DirectPath | undefined;
  let onBatch: (batch: readonly FromCoordinator[]) => void = () => undefined;
  const hear = (posted: readonly FromCoordinator[]): void => {
    const batch = posted.map(arrived);
    for (const each of batch) {
      if (each.type === 'keys') direct?.learn(each.keys);
      else if (each.type === 'done' && each.views !== undefined) direct?.learnBuffers(each.views);
    }
    onBatch(batch);
  };
  /** A message with the tensors that it brings, which this thread holds now. */
  const arrived = (message: FromCoordinator): FromCoordinator => {
    if (message.type !== 'done' || message.fresh?.some(isOnCuda) !== true) return message;
    const fresh = message.fresh.map(received);
    port.postMessage([{ type: 'taken', id: message.id } satisfies BoundMessage]);
    return { ...message, fresh };
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
    const bindings = { bind: (tensor: WireTensor) => binder.bind(tensor), post };
    direct = device && new DirectPath(device, bindings, !isMainThread);
  }
  return {
    post: (batch) => port.postMessage(binder.encode(batch)),
    listen: (listener) => {
      onBatch = listener;
      readAll(port, hear); // What was posted before it listened.
      port.on('message', hear);
      port.unref(); // Listening refs the port, but an idle store must not keep an app running.
    },
    keepAlive: (on) => (on ? port.ref() : port.unref()),
    close: () => {
      direct?.close();
      port.close();
    },
    pulse: new Pulse(pulse),
    direct,
    wait: isMainThread ? undefined : waiting({ direct, port, status }, hear),
  };
}

/** How a thread waits for either way to bring something. */
function waiting(
  {
    direct,
    port,
    status,
  }: Pick<CoordinatorAddress, 'port' | 'status'> & { direct?: DirectPath | undefined },
  hear: (batch: readonly FromCoordinator[]) => void,
): (sliceMs: number) => void {
  const words = new Int32Array(status);
  return (sliceMs) => {
    if (direct !== undefined) {
      const hasEnded = direct.wait(sliceMs);
      if (!hasEnded || sliceMs === 0) readAll(port, hear);
      return;
    }
    const posts = Atomics.load(words, statusWord.posts);
    // At the other side: StatusBlock.
    if (!readAll(port, hear)) Atomics.wait(words, statusWord.posts, posts, sliceMs);
    readAll(port, hear);
  };
}

/** Hears all that lies in a port; whether there was anything. */
function readAll(port: MessagePort, hear: (batch: readonly FromCoordinator[]) => void): boolean {
  for (let count = 0; ; count++) {
    const next = receiveMessageOnPort(port) as
      | { readonly message: readonly FromCoordinator[] }
      | undefined;
    if (next === undefined) return count > 0;
    hear(next.message);
  }
}
