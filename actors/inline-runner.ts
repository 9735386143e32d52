import type { FromCoordinator, Rank, ToCoordinator } from '../src/core/protocol.js';
import type { Actor } from './actor.js';
import type { Link } from './link.js';

interface Letter {
  readonly from: Rank;
  readonly message: ToCoordinator;
}

/**
 * Runs a coordinator on the caller's thread, a batch in a microtask. With `automatic: false` nothing
 * happens until somebody calls `step` for each message, so a test can choose every interleaving.
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
    this.#actor?.receive(letter.from, [letter.message]);
    return true;
  }

  #accept(from: Rank, batch: readonly ToCoordinator[]): void {
    for (const message of batch) this.#inbox.push({ from, message });
    if (!this.#automatic || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#drain();
    });
  }

  /** Handles all messages, those in a row that are of one device as one batch. */
  #drain(): void {
    for (let [letter] = this.#inbox; letter !== undefined; [letter] = this.#inbox) {
      const { from } = letter;
      const next = this.#inbox.findIndex((other) => other.from !== from);
      const letters = this.#inbox.splice(0, next < 0 ? this.#inbox.length : next);
      const batch = letters.map(({ message }) => message);
      this.#actor?.receive(from, batch);
    }
  }
}
