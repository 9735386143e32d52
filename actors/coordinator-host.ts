import type { MessagePort } from 'node:worker_threads';
import { kernels } from '../native/kernels.js';
import { type CoordinatorOptions, type FromCoordinator, type Rank } from '../src/core/protocol.js';
import { BindingTable, type BoundMessage } from './bindings.js';
import { checkpointFiles } from './checkpoint-file.js';
import { Coordinator } from './coordinator.js';
import { DeadlineClock } from './deadline-clock.js';
import { loadModule } from './module-loader.js';

/** The control plane of a coordinator thread: what its supervisor can ask of it. */
export interface CoordinatorControl {
  /** Connects device `rank`, which holds the other end of `port`. */
  join(rank: Rank, port: MessagePort): void;
  /** Device `rank` is gone: dead of `cause`, or in good order without one. */
  depart(rank: Rank, cause: string | undefined): void;
  /** Lets go of every port and timer, so that the thread can end. */
  stop(): void;
}

/** Runs a coordinator on this thread: messages in from ports, answers out a batch at a time. */
export function hostCoordinator(options: CoordinatorOptions): CoordinatorControl {
  const ports = new Map<Rank, MessagePort>();
  const outboxes = new Map<Rank, FromCoordinator[]>();
  const post = (rank: Rank): void => {
    const batch = outboxes.get(rank);
    if (batch === undefined) return;
    outboxes.delete(rank);
    ports.get(rank)?.postMessage(batch);
  };
  // The device that was heard last first: its core is idle, while this thread stands on the core of
  // one that waits longer. The other way round, two devices wake on one core and share it until the
  // scheduler looks again, milliseconds later.
  const flush = (heard?: Rank): void => {
    if (heard !== undefined) post(heard);
    for (const rank of outboxes.keys()) post(rank);
  };
  const coordinator: Coordinator = new Coordinator(options, {
    kernels,
    send: (to, message) => {
      const batch = outboxes.get(to);
      if (batch) batch.push(message);
      else outboxes.set(to, [message]);
    },
    loadModule: (kind, url, loaded) => void loadModule(kind, url, loaded).then(() => flush()),
    files: checkpointFiles,
  });
  const clock = new DeadlineClock(coordinator, () => flush());

  return {
    join: (rank, port) => {
      ports.set(rank, port);
      port.once('close', () => ports.delete(rank)); // And with it what its device had bound.
      const bindings = new BindingTable();
      port.on('message', (batch: readonly BoundMessage[]) => {
        coordinator.receive(rank, bindings.decode(batch));
        flush(rank);
        clock.watch();
      });
    },
    depart: (rank, cause) => {
      coordinator.depart(rank, cause);
      flush();
    },
    stop: () => {
      clock.stop();
      for (const port of ports.values()) port.close();
    },
  };
}
