import type { Settings } from './cli.js';
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
export function reportLines(outcome: Outcome): readonly string[] {
  const { settings, epochs, reference, results } = outcome;
  const { accuracy = NaN, weightsHash, isInPlace } = results[0]!;
  const devices = plural(settings.devices, 'device');
  const timed = withoutWarmUp(epochs);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const share = median(timed.map((epoch) => epoch.storeShare));
  return [
    ...(isInPlace ? [] : ['the addon is missing: weights and gradients were copied each step']),
    `trained ${plural(epochs.length, 'epoch')} in ${seconds.toFixed(1)} s`,
    `throughput ${showRate(typical(timed))} (${warmUpNote(epochs)})`,
    `store ${(100 * share).toFixed(1)} % of the devices' time (push and pull, waiting included)`,
    ...(reference.length > 0 ? [comparisonNote(outcome)] : []),
    `test accuracy ${(100 * accuracy).toFixed(2)} %`,
    `weights sha256 ${weightsHash}`,
    ...(reference.length > 0 ? [`${devices} ${speedUp(outcome).toFixed(2)} x one device`] : []),
  ];
}

/** How many times faster the devices are: the median over pairs of epochs run in turn. */
export function speedUp({ epochs, reference }: Outcome): number {
  const pairs = withoutWarmUp(epochs).map((epoch) => {
    const alone = reference[epoch.epoch]!;
    return epoch.images / epoch.seconds / (alone.images / alone.seconds);
  });
  return median(pairs);
}

function comparisonNote({ settings, epochs, reference }: Outcome): string {
  const both = showRate(typical(withoutWarmUp(epochs)));
  const alone = showRate(typical(withoutWarmUp(reference)));
  return (
    `compared ${both} on ${plural(settings.devices, 'device')} with ${alone} on one, ` +
    `${settings.batch} images a device and step, epochs in turn (${warmUpNote(epochs)})`
  );
}

function warmUpNote(epochs: readonly EpochSummary[]): string {
  return epochs.length > 1 ? 'median of the epochs after the first' : 'the only epoch';
}

/** The first epoch is slower: code is compiled and memory touched. */
function withoutWarmUp(epochs: readonly EpochSummary[]): readonly EpochSummary[] {
  return epochs.length > 1 ? epochs.slice(1) : epochs;
}

/** An epoch of median throughput, as images in one second. */
function typical(epochs: readonly EpochSummary[]): { images: number; seconds: number } {
  return { images: median(epochs.map(({ images, seconds }) => images / seconds)), seconds: 1 };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
