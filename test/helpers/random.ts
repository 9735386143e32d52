import { randomInt } from 'node:crypto';

/** One seed to start from: fresh for every run of the tests, or that of TENSORKV_SEED. */
const replayed = process.env['TENSORKV_SEED'];
export const isReplay = replayed !== undefined;
export const seed = replayed === undefined ? randomInt(2 ** 31) : Number(replayed);

/** Settings of `fc.assert`; its report names the seed that TENSORKV_SEED takes. */
export function propertySettings(numRuns: number): { numRuns: number; seed: number } {
  return { numRuns, seed };
}

/** A small generator of random numbers (mulberry32): the same seed, the same numbers. */
export class Random {
  #state: number;

  constructor(start: number) {
    this.#state = start | 0;
  }

  /** A number from 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to `below`. */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(list.length)]!;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(this.integer(left.length), 1)[0]!);
  }

  /** A float whose sums round differently in every order. */
  float(): number {
    return (this.next() - 0.5) * 10 ** (this.integer(7) - 3);
  }
}
