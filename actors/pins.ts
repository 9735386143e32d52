import type { TensorData } from '../src/core/dtypes.js';
import type { MemoryBudget } from '../src/core/memory.js';
import type { Rank } from '../src/core/protocol.js';

/**
 * Which buffers devices hold views of. A pinned buffer is never written: the next version of its key
 * goes to another buffer, and this one is then an orphan, whose bytes still count against the store's
 * budget until its last pin is gone.
 */
export class Pins {
  readonly #budget: MemoryBudget;
  readonly #pins = new Map<number, { readonly rank: Rank; readonly data: TensorData }>();
  /** How many pins each buffer has. */
  readonly #counts = new Map<TensorData, number>();
  readonly #orphans = new Set<TensorData>();
  #last = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Pins a buffer for device `rank`, and gives the number that ends it. */
  pin(rank: Rank, data: TensorData): number {
    this.#last += 1;
    this.#pins.set(this.#last, { rank, data });
    this.#counts.set(data, (this.#counts.get(data) ?? 0) + 1);
    return this.#last;
  }

  /** Ends pins of device `rank`; a number that is none of its pins is ignored. */
  release(rank: Rank, numbers: readonly number[]): void {
    for (const number of numbers) {
      const pin = this.#pins.get(number);
      if (pin?.rank === rank) this.#unpin(number, pin.data);
    }
  }

  /** Ends all pins of a device that is gone. */
  departed(rank: Rank): void {
    for (const [number, pin] of this.#pins) if (pin.rank === rank) this.#unpin(number, pin.data);
  }

  isPinned(data: TensorData): boolean {
    return this.#counts.has(data);
  }

  /** A pinned buffer is no key's any more: only views hold it. */
  orphan(data: TensorData): void {
    this.#orphans.add(data);
  }

  #unpin(number: number, data: TensorData): void {
    this.#pins.delete(number);
    const left = this.#counts.get(data)! - 1;
    if (left > 0) return void this.#counts.set(data, left);
    this.#counts.delete(data);
    if (this.#orphans.delete(data)) this.#budget.release(data.byteLength);
  }
}
