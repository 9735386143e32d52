import { randomInt } from 'node:crypto';
import { Random as Generator } from '../../src/stress/random.js';

/** One seed to start from: fresh for every run of the tests, or that of TENSORKV_SEED. */
const replayed = process.env['TENSORKV_SEED'];
export const isReplay = replayed !== undefined;
export const seed = replayed === undefined ? randomInt(2 ** 31) : Number(replayed);

/** Settings of `fc.assert`; its report names the seed that TENSORKV_SEED takes. */
export function propertySettings(numRuns: number): { numRuns: number; seed: number } {
  return { numRuns, seed };
}

/** The generator of random numbers of `tensorkv stress`, with what only tests need. */
export class Random extends Generator {
  /** A float whose sums round differently in every order. */
  float(): number {
    return (this.next() - 0.5) * 10 ** (this.integer(7) - 3);
  }
}
