import { KVStoreError } from '../src/core/errors.js';
import { monotonicMs, type CoordinatorOptions, type Rank } from '../src/core/protocol.js';
import { unpackThrown, type Thrown } from '../src/core/thrown.js';
import { EventQueue } from './event-queue.js';
import type { CoordinatorAddress } from './port-link.js';
import { RestartLimit, type Restarts } from './restart-limit.js';
import { CoordinatorSupervisor } from './supervisor.js';
import { Thread } from './thread.js';

/** What every device thread is started with, beside what its program needs. */
export interface DeviceStart<Program> {
  readonly coordinator: CoordinatorAddress;
  /** How often this device has been started before. */
  readonly incarnation: number;
  readonly program: Program;
}

/** What a device thread tells its group. */
export type FromDevice =
  | (Parcel & { readonly type: 'report'; readonly data: unknown })
  | (Parcel & { readonly type: 'finished'; readonly result: unknown })
  | { readonly type: 'failed'; readonly why: string; readonly thrown: Thrown };

/** What brings tensors on CUDA devices has a number: the device keeps them until it hears of that. */
interface Parcel {
  readonly parcel?: number | undefined;
}

/** What a device is told of a parcel that has been unpacked. */
export interface ParcelTaken {
  readonly type: 'tensorkv:taken';
  readonly parcel: number;
}

/** What a group tells whoever started it. */
export type DeviceEvent =
  | { readonly type: 'report'; readonly rank: Rank; readonly data: unknown }
  | { readonly type: 'finished'; readonly rank: Rank; readonly result: unknown }
  | { readonly type: 'lost'; readonly rank: Rank; readonly error: KVStoreError }
  /** A device has died of `cause`, and was started again as this incarnation. */
  | {
      readonly type: 'restarted';
      readonly rank: Rank;
      readonly incarnation: number;
      readonly cause: KVStoreError;
    };

/** How to start a group. */
export interface DeviceGroupOptions<Program> {
  /** The module that runs in every device thread. */
  readonly entry: URL;
  readonly program: Program;
  readonly coordinator: CoordinatorOptions;
  /** Makes of what a device sends what it has sent. */
  unpack(sent: unknown): unknown;
  /** Under `onDeath: 'restart'`. */
  readonly restarts?: Restarts;
}

/** Why a device is gone: in words, and what was thrown there, if anything was. */
interface Loss {
  readonly why: string;
  readonly cause: unknown;
}

const endGraceMs = 2000;
const maxWaitingEvents = 4096;

/**
 * One thread a device around one coordinator. Every thread is watched: one that ends without having
 * finished is lost, the coordinator hears of it, and nobody waits for it any more.
 */
export class DeviceGroup<Program> {
  readonly events = new EventQueue<DeviceEvent>(maxWaitingEvents, ({ type }) => type === 'report');
  /** One result per rank, undefined for a lost one; rejects with the first loss under `abort`. */
  readonly done: Promise<unknown[]>;
  readonly #coordinator: CoordinatorSupervisor;
  readonly #threads: Thread[] = [];
  readonly #results: unknown[] = [];
  readonly #losses: KVStoreError[] = [];
  #coordinatorLoss: KVStoreError | undefined;
  readonly #options: DeviceGroupOptions<Program>;
  /** Devices at work, and those that are about to be. */
  readonly #running = new Set<Promise<void>>();
  /** Ends a device that has stalled, by rank. */
  readonly #stallers = new Map<Rank, (why: string) => void>();
  /** Ranks that have been given. */
  #ranks = 0;
  #hasEnded = false;
  readonly #limit: RestartLimit;
  #stopping: Promise<void> | undefined;

  private constructor(options: DeviceGroupOptions<Program>) {
    this.#options = options;
    this.#limit = new RestartLimit(options.restarts ?? { max: 0, withinMs: 0 });
    this.#coordinator = new CoordinatorSupervisor(
      options.coordinator,
      (reason) => {
        this.#coordinatorLoss = new KVStoreError('peer_dead', `the group's coordinator ${reason}`);
        // Their calls reject: what they still do about it has its time.
        for (const thread of this.#threads) void thread.ended(endGraceMs);
      },
      ({ rank, why }) => this.#stallers.get(rank)?.(why),
    );
    this.done = this.#start();
    // The failure is in `events` too: whoever reads only those is not to be killed by it here.
    this.done.catch(() => undefined);
  }

  /** Starts all threads at once. */
  static start<Program>(options: DeviceGroupOptions<Program>): DeviceGroup<Program> {
    return new DeviceGroup(options);
  }

  /** Starts one more device. Resolves with its rank; rejects with `closed` when the group has ended. */
  async add(): Promise<Rank> {
    if (this.#hasEnded || this.#stopping) {
      throw new KVStoreError('closed', 'add expected a group at work, but it has ended');
    }
    const rank = this.#ranks++;
    const connected = this.#coordinator.connect(rank);
    this.#keep(connected.then((address) => this.#runDevice(address)));
    await connected;
    return rank;
  }

  /** Ends every thread that still runs; `done` then rejects with `closed`. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<unknown[]> {
    try {
      const { workers } = this.#options.coordinator;
      const ranks = Array.from({ length: workers }, () => this.#ranks++);
      const addresses = Promise.all(ranks.map((rank) => this.#coordinator.connect(rank)));
      this.#keep(addresses.then((all) => all.forEach((each) => this.#keep(this.#runDevice(each)))));
      while (this.#running.size > 0) await Promise.all(this.#running);
    } catch (error) {
      await Promise.all(this.#threads.map((thread) => thread.terminate()));
      throw this.#coordinatorLoss ?? error;
    } finally {
      this.#hasEnded = true;
      await this.#coordinator.stop();
      this.events.end();
    }
    if (this.#coordinatorLoss) throw this.#coordinatorLoss;
    if (this.#stopping) {
      throw new KVStoreError('closed', 'the group was stopped before its devices had finished');
    }
    const { onDeath } = this.#options.coordinator;
    if (this.#losses[0] && onDeath !== 'continue') throw this.#losses[0];
    return this.#results;
  }

  /** The group does not end before `work` has. */
  #keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#running.delete(kept));
    kept.catch(() => undefined); // Whoever waits for all of them hears of it.
    this.#running.add(kept);
  }

  /** Runs one device to its end. */
  async #runDevice(address: CoordinatorAddress, incarnation = 0): Promise<void> {
    const { port, rank } = address;
    if (this.#stopping) return port.close();
    const { entry, program } = this.#options;
    const workerData: DeviceStart<Program> = { coordinator: address, incarnation, program };
    const thread = new Thread(`device ${rank}`, entry, { workerData, transferList: [port] });
    this.#threads.push(thread);
    this.#results[rank] = undefined;
    let ended: Promise<void> | undefined;
    let loss: Loss | undefined;
    const lose = (how: Loss): void => {
      if (ended !== undefined || loss !== undefined) return; // The first verdict stands.
      loss = how;
      // Nobody waits for its exit, but a new incarnation must not meet it.
      if (!this.#restarts) ended = this.#lose(rank, how);
    };
    this.#stallers.set(rank, (why) => {
      if (ended === undefined) void thread.terminate();
      lose({ why, cause: undefined });
    });
    thread.worker.on('message', (message: FromDevice | null | undefined) => {
      switch (message?.type) {
        case 'report':
          return this.events.push({
            type: 'report',
            data: this.#take(thread, message, message.data),
            rank,
          });
        case 'failed':
          lose({ why: message.why, cause: unpackThrown(message.thrown) });
          break;
        case 'finished':
          if (ended !== undefined) return; // It is lost: it was taken for stalled, and woke.
          ended = Promise.resolve();
          this.#results[rank] = this.#take(thread, message, message.result);
          this.events.push({ type: 'finished', result: this.#results[rank], rank });
          break;
        default:
          return; // A program may post messages of its own; they are not for the group.
      }
      void thread.ended(endGraceMs); // Something the program left open must not keep the thread.
    });
    const reason = await thread.exited;
    if (ended !== undefined) return ended;
    loss ??= { why: reason, cause: thread.thrown };
    if (this.#restarts && this.#limit.take(monotonicMs())) {
      await this.#restart(rank, incarnation + 1, loss);
    } else {
      await this.#lose(rank, loss);
    }
  }

  /** What a device has sent; it may forget it now. */
  #take({ worker }: Thread, { parcel }: Parcel, sent: unknown): unknown {
    const unpacked = this.#options.unpack(sent);
    if (parcel !== undefined) {
      worker.postMessage({ type: 'tensorkv:taken', parcel } satisfies ParcelTaken);
    }
    return unpacked;
  }

  /** Whether a device that dies now is to be started anew, within the limit. */
  get #restarts(): boolean {
    const isEnding = this.#stopping !== undefined || this.#coordinatorLoss !== undefined;
    return this.#options.coordinator.onDeath === 'restart' && !isEnding;
  }

  /** Device `rank` is gone. */
  async #lose(rank: Rank, loss: Loss): Promise<void> {
    const error = errorOf(rank, loss);
    this.#losses.push(error);
    this.events.push({ type: 'lost', rank, error });
    await this.#coordinator.depart(rank, loss.why, false);
  }

  /** Starts device `rank` anew, as its next incarnation. */
  async #restart(rank: Rank, incarnation: number, loss: Loss): Promise<void> {
    const cause = errorOf(rank, loss);
    await this.#coordinator.depart(rank, loss.why, true);
    const address = await this.#coordinator.connect(rank);
    this.events.push({ type: 'restarted', rank, incarnation, cause });
    this.#keep(this.#runDevice(address, incarnation));
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
    await this.done.catch(() => undefined);
  }
}

function errorOf(rank: Rank, { why, cause }: Loss): KVStoreError {
  return new KVStoreError('peer_dead', `rank ${rank} was lost: ${why}`, { rank, cause });
}
