import type { EpochSummary } from './training.js';

/** What a comparison of several devices with one found. */
export interface Comparison {
  /** How many times as many images a second: the median over the pairs taken. */
  readonly speedUp: number;
  /** Median throughput of the several devices over the pairs taken, in images a second. */
  readonly several: number;
  /** The same of the single device. */
  readonly single: number;
  /** How many pairs of epochs were taken, */
  readonly taken: number;
  /** and out of how many. */
  readonly pairs: number;
  /** Cores that other programs kept busy meanwhile, on average. */
  readonly otherCores: number;
}

/**
 * Compares epochs of several devices with the same epochs of a single one, each pair run in turn.
 * Other programs slow several devices down more than one, which leaves them a core. So the quieter
 * half of the pairs is taken: chosen by the load of others, not by the result.
 */
export function compare(
  several: readonly EpochSummary[],
  single: readonly EpochSummary[],
): Comparison {
  const pairs = withoutWarmUp(several).map((epoch) => {
    const alone = single.find((candidate) => candidate.epoch === epoch.epoch)!;
    const seconds = epoch.seconds + alone.seconds;
    const busy = epoch.otherCores * epoch.seconds + alone.otherCores * alone.seconds;
    return { several: rateOf(epoch), single: rateOf(alone), otherCores: busy / seconds };
  });
  const quiet = pairs
    .toSorted((a, b) => a.otherCores - b.otherCores)
    .slice(0, Math.ceil(pairs.length / 2));
  return {
    speedUp: median(quiet.map((pair) => pair.several / pair.single)),
    several: median(quiet.map((pair) => pair.several)),
    single: median(quiet.map((pair) => pair.single)),
    taken: quiet.length,
    pairs: pairs.length,
    otherCores: quiet.reduce((sum, pair) => sum + pair.otherCores, 0) / quiet.length,
  };
}

/** The epochs but the first, which is slower: code is compiled and memory touched. */
export function withoutWarmUp(epochs: readonly EpochSummary[]): readonly EpochSummary[] {
  return epochs.length > 1 ? epochs.slice(1) : epochs;
}

/** Images a second. */
export function rateOf({ images, seconds }: EpochSummary): number {
  return images / seconds;
}

/** The value in the middle; of two, their mean. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}
