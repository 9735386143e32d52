import type { MessagePort } from 'node:worker_threads';
import {
  attachDevice,
  coordinatorRank,
  createEngine,
  type Engine,
  type EngineDevice,
} from '../native/engine.js';
import { kernels } from '../native/kernels.js';
import { sweepDevices } from '../src/core/device-array.js';
import { statusCounter, statusWord } from '../src/core/layout.js';
import { type CoordinatorOptions, type FromCoordinator, type Rank } from '../src/core/protocol.js';
import type { BoundMessage } from './bindings.js';
import { checkpointFiles } from './checkpoint-file.js';
import { Coordinator } from './coordinator.js';
import { DeadlineClock } from './deadline-clock.js';
import { DeviceTables } from './device-tables.js';
import { loadModule } from './module-loader.js';
import { Pulse } from './pulse.js';
import { StatusBlock } from './status.js';

/** The control plane of a coordinator thread: what its supervisor can ask of it. */
export interface CoordinatorControl {
  /**
   * Connects device `rank`, which holds the other end of `port` and has its pulse in `pulse`. Returns
   * the number of the store's engine; undefined where there is none.
   */
  join(rank: Rank, port: MessagePort, pulse: SharedArrayBuffer): number | undefined;
  /**
   * Device `rank` is gone: dead of `cause`, or in good order without one. If it `returns`, all wait for
   * its next incarnation to join.
   */
  depart(rank: Rank, cause: string | undefined, returns: boolean): void;
  /** Lets go of every port and timer, so that the thread can end. */
  stop(): void;
}

/** Device `rank` has stalled: it is to be ended, and departed as dead because of `why`. */
export interface Stalled {
  readonly type: 'stalled';
  readonly rank: Rank;
  readonly why: string;
}

/** Answers on their way to devices, a batch at a time. */
class Outboxes {
  readonly #ports: ReadonlyMap<Rank, MessagePort>;
  readonly #posted: (rank: Rank) => void;
  readonly #batches = new Map<Rank, FromCoordinator[]>();

  /** `posted` is called after each post: the device may stand in a blocking call. */
  constructor(ports: ReadonlyMap<Rank, MessagePort>, posted: (rank: Rank) => void) {
    this.#ports = ports;
    this.#posted = posted;
  }

  add(to: Rank, message: FromCoordinator): void {
    const batch = this.#batches.get(to);
    if (batch) batch.push(message);
    else this.#batches.set(to, [message]);
  }

  /**
   * Posts everything. The device that was heard last first: its core is idle, while this thread
   * stands on the core of one that waits longer. The other way round, two devices wake on one core
   * and share it until the scheduler looks again, milliseconds later.
   */
  flush(heard?: Rank): void {
    if (heard !== undefined) this.#post(heard);
    for (const rank of this.#batches.keys()) this.#post(rank);
  }

  #post(rank: Rank): void {
    const batch = this.#batches.get(rank);
    if (batch === undefined) return;
    this.#batches.delete(rank);
    this.#ports.get(rank)?.postMessage(batch);
    this.#posted(rank);
  }
}

/** Runs a coordinator on this thread: messages in from ports, answers out a batch at a time. */
export function hostCoordinator(
  options: CoordinatorOptions,
  onStalled: (stalled: Stalled) => void,
): CoordinatorControl {
  const ports = new Map<Rank, MessagePort>();
  const pulses = new Map<Rank, Pulse>();
  const engine = engineFor(options);
  const status = new StatusBlock(options.status);
  const outboxes = new Outboxes(ports, (rank) => (engine ? engine.call(rank) : status.addPost()));
  const devices = new DeviceTables();
  const settle = (heard?: Rank): void => {
    for (let next = devices.takeEarly(); next !== undefined; next = devices.takeEarly()) {
      coordinator.receive(next.rank, next.messages);
    }
    outboxes.flush(heard);
    clock.watch();
  };
  const coordinator: Coordinator = new Coordinator(options, {
    kernels,
    engine,
    tensorOf: (rank, number) => devices.tensorOf(rank, number),
    send: (to, message) => {
      devices.keep(to, message);
      outboxes.add(to, message);
    },
    loadModule: (kind, url, loaded) => void loadModule(kind, url, loaded).then(() => settle()),
    files: checkpointFiles,
    pulseOf: (rank) => pulses.get(rank)?.lastMs,
    stalled: (rank, why) => onStalled({ type: 'stalled', rank, why }),
  });
  const clock = new DeadlineClock(coordinator, settle);
  const renew = (): void => {
    coordinator.renew();
    settle();
  };
  const bell = engine && ringFor(engine, renew);

  return {
    join: (rank, port, pulse) => {
      ports.set(rank, port);
      pulses.set(rank, new Pulse(pulse));
      devices.add(rank, port);
      coordinator.join(rank);
      settle();
      listen({ rank, port, ports, devices, coordinator, settle });
      return engine?.number;
    },
    depart: (rank, cause, returns) => {
      coordinator.depart(rank, cause, returns);
      settle();
    },
    stop: () => {
      clock.stop();
      bell?.detach();
      engine?.close();
      for (const port of ports.values()) port.close();
    },
  };
}

/** A device's connection, and what is around it. */
interface Connection {
  readonly rank: Rank;
  readonly port: MessagePort;
  /** Of the incarnations in force. */
  readonly ports: Map<Rank, MessagePort>;
  readonly devices: DeviceTables;
  readonly coordinator: Coordinator;
  settle(heard?: Rank): void;
}

/** Hands the messages of a device to the coordinator, until there is a new incarnation of it. */
function listen({ rank, port, ports, devices, coordinator, settle }: Connection): void {
  port.once('close', () => {
    setImmediate(sweepDevices).unref(); // The tensors that it has bound, once its table is gone.
    if (ports.get(rank) !== port) return; // There is a new incarnation.
    ports.delete(rank);
    // The engine lets go of the device's tensors first; whatever still waits has them itself.
    coordinator.receive(rank, []);
    settle();
    if (ports.get(rank) === undefined) devices.delete(rank);
  });
  port.on('message', (batch: readonly BoundMessage[]) => {
    if (ports.get(rank) !== port) return; // Whoever sent it has ended.
    const messages = devices.decode(rank, batch);
    if (messages.length === 0) return;
    coordinator.receive(rank, messages);
    settle(rank);
  });
}

function engineFor({
  workers,
  consistency,
  staleness = 0,
  status,
}: CoordinatorOptions): Engine | undefined {
  const updates = new BigInt64Array(status, statusCounter.updates * 8, 1);
  const ended = new Int32Array(status, statusWord.ended * 4, 1);
  return createEngine(workers, { consistency, staleness }, { updates, ended });
}

/** Has `onRing` called when the engine needs the coordinator. */
function ringFor(engine: Engine, onRing: () => void): EngineDevice | undefined {
  const calls = new Float64Array(64);
  const bell = attachDevice(engine.number, coordinatorRank, () => {
    while (bell?.takeEnded(calls) === calls.length);
    onRing();
  });
  return bell;
}
