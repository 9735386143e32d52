import type { FromCoordinator, Rank, ToCoordinator } from '../src/core/protocol.js';
import type { Actor } from './actor.js';
import type { Link } from './link.js';

interface Letter {
  readonly from: Rank;
  readonly message: ToCoordinator;
}

/**
 * Runs a coordinator on the caller's thread, one message a step. With `automatic: false` nothing
 * happens until somebody calls `step`, so a test can choose every interleaving.
 */
export class InlineRunner {
  readonly #automatic: boolean;
  readonly #inbox: Letter[] = [];
  readonly #listeners = new Map<Rank, (batch: readonly FromCoordinator[]) => void>();
  #actor: Actor<ToCoordinator> | undefined;
  #scheduled = false;

  constructor({ automatic = true }: { readonly automatic?: boolean } = {}) {
    this.#automatic = automatic;
  }

  /** The actor to run; it sends through `deliver`. */
  attach(actor: Actor<ToCoordinator>): void {
    this.#actor = actor;
  }

  /** Hands a message of the actor to the device it is for. */
  deliver(to: Rank, message: FromCoordinator): void {
    this.#listeners.get(to)?.([message]);
  }

  /** The link of device `rank`. */
  link(rank: Rank): Link {
    return {
      post: (batch) => this.#accept(rank, batch),
      listen: (onBatch) => void this.#listeners.set(rank, onBatch),
      keepAlive: () => undefined, // Messages wait in microtasks, which end before the thread does.
      close: () => void this.#listeners.delete(rank),
    };
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#inbox.length;
  }

  /** Handles the oldest message of `rank`, or of anybody. Returns false when there is none. */
  step(rank?: Rank): boolean {
    const index = rank === undefined ? 0 : this.#inbox.findIndex(({ from }) => from === rank);
    const [letter] = index < 0 ? [] : this.#inbox.splice(index, 1);
    if (letter === undefined) return false;
    this.#actor?.receive(letter.from, letter.message);
    return true;
  }

  #accept(from: Rank, batch: readonly ToCoordinator[]): void {
    for (const message of batch) this.#inbox.push({ from, message });
    if (!this.#automatic || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      while (this.step());
    });
  }
}
