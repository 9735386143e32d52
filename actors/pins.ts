import type { Elements } from '../src/core/device-array.js';
import type { MemoryBudget } from '../src/core/memory.js';
import type { Rank } from '../src/core/protocol.js';
import type { Entry, EntryTicket } from './entry.js';

/** The pins of a device on a buffer of a key. */
export interface Pin {
  readonly entry: Entry;
  /** The number of the buffer. */
  readonly buffer: number;
  readonly rank: Rank;
  readonly count: number;
}

/** A buffer that is pinned, by whom and how often. */
interface Pinned {
  readonly entry: Entry;
  readonly data: Elements;
  readonly counts: Map<Rank, number>;
}

/**
 * Which buffers devices hold views of, by number. A pinned buffer is never written: the next version
 * of its key goes to another buffer. One that its key has given up is then an orphan, whose bytes
 * still count against the store's budget until its last pin is gone.
 */
export class Pins {
  readonly #budget: MemoryBudget;
  readonly #numbers = new WeakMap<Elements, number>();
  readonly #pinned = new Map<number, Pinned>();
  readonly #orphans = new Set<Elements>();
  #last = 0;
  #hasFreed = false;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** The number of a buffer, which it gets now if it has none. */
  numberOf(data: Elements): number {
    const known = this.#numbers.get(data);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#numbers.set(data, this.#last);
    return this.#last;
  }

  /** Pins a buffer of a key for a device, `count` times, and gives its number. */
  pin(rank: Rank, entry: Entry, data: Elements, count = 1): number {
    const number = this.numberOf(data);
    const { counts } = this.#pinned.get(number) ?? this.#add(number, entry, data);
    counts.set(rank, (counts.get(rank) ?? 0) + count);
    return number;
  }

  /** Ends a pin of device `rank` on each of these buffers; where it has none, nothing. */
  release(rank: Rank, buffers: readonly number[]): void {
    for (const number of buffers) this.#unpin(number, rank, 1);
  }

  /** Ends the pins of a call that has failed: nobody hears of the views that it has got. */
  withdraw({ rank, views }: EntryTicket): void {
    views.forEach(({ pin }) => this.#unpin(pin, rank, 1));
  }

  /** Ends all pins of a device that is gone. */
  departed(rank: Rank): void {
    for (const number of [...this.#pinned.keys()]) this.#unpin(number, rank, Infinity);
  }

  isPinned(data: Elements): boolean {
    const number = this.#numbers.get(data);
    return number !== undefined && this.#pinned.has(number);
  }

  /** A key has given up a pinned buffer: only views hold it. */
  orphan(data: Elements): void {
    this.#orphans.add(data);
  }

  /** Whether buffers may have lost their last pin since the last call. */
  takeFreed(): boolean {
    const hasFreed = this.#hasFreed;
    this.#hasFreed = false;
    return hasFreed;
  }

  /** Hands over all pins on buffers that keys have, and forgets them. */
  takeHeld(): Pin[] {
    const taken: Pin[] = [];
    for (const [buffer, { entry, data, counts }] of this.#pinned) {
      if (data !== entry.stored && data !== entry.spare) continue;
      if (entry.cudaDevice !== undefined) continue; // The engine leaves such keys alone.
      for (const [rank, count] of counts) taken.push({ entry, buffer, rank, count });
      this.#pinned.delete(buffer);
      this.#hasFreed = true; // By the time they come back.
    }
    return taken;
  }

  #add(number: number, entry: Entry, data: Elements): Pinned {
    const pinned = { entry, data, counts: new Map<Rank, number>() };
    this.#pinned.set(number, pinned);
    return pinned;
  }

  #unpin(number: number, rank: Rank, count: number): void {
    const pinned = this.#pinned.get(number);
    const held = pinned?.counts.get(rank);
    if (pinned === undefined || held === undefined) return;
    const { data, counts } = pinned;
    if (held > count) return void counts.set(rank, held - count);
    counts.delete(rank);
    if (counts.size > 0) return;
    this.#pinned.delete(number);
    this.#hasFreed = true;
    if (this.#orphans.delete(data)) this.#budget.release(data.byteLength);
  }
}
