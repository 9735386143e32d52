import type { ExecutionContext } from 'ava';
import { InlineCoordinator } from '../../actors/inline-coordinator.js';
import { sharedPlane } from '../../actors/plane.js';
import { KVStore } from '../../src/kv-store.js';
import { statusBytes } from '../../src/core/layout.js';
import type { Guard, OnDeath } from '../../src/core/protocol.js';
import { storeType } from '../../src/core/types.js';

export interface InlineGroupOptions {
  readonly workers: number;
  readonly type?: string;
  readonly onDeath?: OnDeath;
  readonly timeoutMs?: number;
  readonly memoryLimit?: number;
  readonly guard?: Guard;
  readonly staleness?: number;
}

/**
 * The stores of a group on this thread around one coordinator that does nothing by itself: a test
 * takes it message by message and so chooses every interleaving.
 */
export class InlineGroup {
  readonly coordinator: InlineCoordinator;
  readonly #stores: KVStore[] = [];
  readonly #open: (rank: number) => Promise<KVStore>;

  private constructor(coordinator: InlineCoordinator, open: (rank: number) => Promise<KVStore>) {
    this.coordinator = coordinator;
    this.#open = open;
  }

  /** By rank. */
  get stores(): readonly KVStore[] {
    return this.#stores;
  }

  /** A group that ends with the test. */
  static async open(t: ExecutionContext, options: InlineGroupOptions): Promise<InlineGroup> {
    const { workers, guard, staleness = 0, onDeath = 'abort', timeoutMs = 300_000 } = options;
    const { memoryLimit = 2 ** 30 } = options;
    const type = storeType(options.type ?? 'dist_sync');
    const status = new SharedArrayBuffer(statusBytes);
    const { consistency, compression } = type;
    const coordinator = new InlineCoordinator(
      { workers, consistency, staleness, compression, onDeath, guard, memoryLimit, status },
      { automatic: false },
    );
    t.teardown(() => coordinator.stop());
    const group = new InlineGroup(coordinator, (rank) =>
      KVStore.open((handlers) => sharedPlane(coordinator.link(rank), { timeoutMs, ...handlers }), {
        type,
        rank,
        devices: undefined,
        status,
        debug: false,
      }),
    );
    for (let rank = 0; rank < workers; rank++) await group.add();
    return group;
  }

  /** One more worker: the first ones are there from the start. */
  async add(): Promise<KVStore> {
    const rank = this.#stores.length;
    const store = await this.#open(rank);
    this.#stores.push(store);
    this.coordinator.join(rank);
    return store;
  }

  /** Worker `rank` dies, and comes back as its next incarnation once `meanwhile` has been done. */
  async restart(rank: number, meanwhile: () => Promise<void> = this.deliver): Promise<KVStore> {
    await this.deliver();
    this.coordinator.depart(rank, 'a fault', true);
    await meanwhile.call(this);
    const store = await this.#open(rank);
    this.#stores[rank] = store;
    this.coordinator.join(rank);
    return store;
  }

  /** Lets what the stores have sent arrive at the coordinator, and what it sent be heard. */
  async deliver(): Promise<void> {
    // A call takes a microtask to be posted, an answer a few to resolve the call's promise.
    for (let i = 0; i < 16; i++) await Promise.resolve();
  }

  /** Handles the oldest message of `rank`, or of anybody. Returns false when there is none. */
  async step(rank?: number): Promise<boolean> {
    await this.deliver();
    const stepped = this.coordinator.step(rank);
    await this.deliver();
    return stepped;
  }

  /** Handles messages until nothing is left, in `order` of ranks if given. */
  async drain(order: readonly number[] = []): Promise<void> {
    for (const rank of order) while (await this.step(rank));
    while (await this.step());
  }

  /** Drains, then resolves with the value of `waiting`, which must have an answer by now. */
  async finish<T>(waiting: Promise<T>): Promise<T> {
    await this.drain();
    const state = watch(waiting);
    await this.deliver();
    if (state.settled === 'no') throw new Error('the call is still open after all messages');
    return waiting;
  }

  /** Ends everything that waits for anybody. */
  async passAllDeadlines(): Promise<void> {
    await this.deliver();
    this.coordinator.tick(Infinity);
    await this.deliver();
  }

  async depart(rank: number, cause: string | undefined): Promise<void> {
    await this.deliver();
    this.coordinator.depart(rank, cause);
    await this.deliver();
  }
}

/** How a promise has ended so far. */
export interface Watched {
  settled: 'no' | 'resolved' | 'rejected';
  error: unknown;
}

/** Looks at a promise without waiting for it; a rejection counts as handled. */
export function watch(promise: Promise<unknown>): Watched {
  const watched: Watched = { settled: 'no', error: undefined };
  promise.then(
    () => (watched.settled = 'resolved'),
    (error: unknown) => {
      watched.settled = 'rejected';
      watched.error = error;
    },
  );
  return watched;
}
