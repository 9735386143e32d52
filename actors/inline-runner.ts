import type { FromCoordinator, Rank, ToCoordinator } from '../src/core/protocol.js';
import type { Actor } from './actor.js';
import { lateAnswers } from './late-calls.js';
import type { Link } from './link.js';

interface Letter {
  readonly from: Rank;
  /** Of the incarnation that sent it. */
  readonly onBatch: Listener;
  readonly message: ToCoordinator;
}

/** How a device hears answers. */
interface Listener {
  hear: (batch: readonly FromCoordinator[]) => void;
}

/**
 * Runs a coordinator on the caller's thread, a batch in a microtask. With `automatic: false` nothing
 * happens until somebody calls `step` for each message, so a test can choose every interleaving.
 */
export class InlineRunner {
  readonly #automatic: boolean;
  readonly #inbox: Letter[] = [];
  readonly #listeners = new Map<Rank, Listener>();
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
    this.#listeners.get(to)?.hear([message]);
  }

  /** The link of device `rank`, or of a new incarnation of it: then an earlier one is refused. */
  link(rank: Rank): Link {
    const listener: Listener = { hear: () => undefined };
    this.#listeners.set(rank, listener);
    return {
      post: (batch) => this.#accept(rank, batch, listener),
      listen: (onBatch) => void (listener.hear = onBatch),
      keepAlive: () => undefined, // Messages wait in microtasks, which end before the thread does.
      close: () => void (listener.hear = () => undefined),
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
    this.#hand([letter]);
    return true;
  }

  #accept(from: Rank, batch: readonly ToCoordinator[], onBatch: Listener): void {
    for (const message of batch) this.#inbox.push({ from, onBatch, message });
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
      const next = this.#inbox.findIndex((other) => other.onBatch !== letter!.onBatch);
      const letters = this.#inbox.splice(0, next < 0 ? this.#inbox.length : next);
      this.#hand(letters);
    }
  }

  /** Hands letters of one device to the actor, unless an earlier incarnation wrote them. */
  #hand(letters: readonly Letter[]): void {
    const { from, onBatch } = letters[0]!;
    const batch = letters.map(({ message }) => message);
    if (this.#listeners.get(from) === onBatch) this.#actor?.receive(from, batch);
    else onBatch.hear(lateAnswers(from, batch));
  }
}
