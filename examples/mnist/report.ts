import type { Settings } from './cli.js';
import { compare, median, rateOf, withoutWarmUp, type Comparison } from './comparison.js';
import type { DeviceResult } from './device.js';
import { showRate } from './progress.js';
import type { EpochSummary } from './training.js';

/** A finished training. */
export interface Outcome {
  readonly settings: Settings;
  readonly epochs: readonly EpochSummary[];
  /** The same epochs on a single device, each run right after its pair; empty without --compare. */
  readonly reference: readonly EpochSummary[];
  /** By rank. */
  readonly results: readonly DeviceResult[];
}

/** The lines that end the output. Scripts read the last ones: their words are fixed. */
export function reportLines({ settings, epochs, reference, results }: Outcome): readonly string[] {
  const { accuracy = NaN, weightsHash, isInPlace } = results[0]!;
  const timed = withoutWarmUp(epochs);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const share = median(timed.map((epoch) => epoch.storeShare));
  const which = epochs.length > 1 ? 'median of the epochs after the first' : 'the only epoch';
  const comparison = reference.length > 0 ? compare(epochs, reference) : undefined;
  const devices = plural(settings.devices, 'device');
  return [
    ...(isInPlace ? [] : ['the addon is missing: weights and gradients were copied each step']),
    `trained ${plural(epochs.length, 'epoch')} in ${seconds.toFixed(1)} s`,
    `throughput ${showRate(median(timed.map(rateOf)))} (${which})`,
    `store ${(100 * share).toFixed(1)} % of the devices' time (push and pull, waiting included)`,
    ...(comparison ? comparisonLines(comparison, settings) : []),
    `test accuracy ${(100 * accuracy).toFixed(2)} %`,
    `weights sha256 ${weightsHash}`,
    ...(comparison ? [`${devices} ${comparison.speedUp.toFixed(2)} x one device`] : []),
  ];
}

function comparisonLines(comparison: Comparison, { devices, batch }: Settings): readonly string[] {
  const { several, single, taken, pairs, otherCores } = comparison;
  return [
    `compared ${plural(devices, 'device')} at ${showRate(several)} with one at ` +
      `${showRate(single)}, ${batch} images a device and step`,
    `compared epochs run in turn: the ${taken} of ${plural(pairs, 'pair')} with the least other ` +
      `load (${otherCores.toFixed(1)} cores), their median`,
  ];
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
