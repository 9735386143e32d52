import { parseArguments, type Settings } from '../examples/mnist/cli.js';
import { loadMnist, type Mnist } from '../examples/mnist/data.js';
import { TrainingGroup } from '../examples/mnist/training.js';
import { showCount } from './arrays.js';
import type { Bench, Measurement, Variant } from './harness.js';
import { medianRatio } from './statistics.js';

/** More than are ever asked for: a group is stopped when the bench has enough. */
const epochs = 1_000_000;
/** What a network that has learnt nothing loses on an image of ten classes. */
const lossOfGuessing = Math.log(10);

/** What do several devices make of a real program, against one of them? */
export const bench: Bench = {
  name: 'mnist',
  question: 'How many images a second does the training example see, and what share is the store?',
  // Training images.
  sizes: { smoke: [2048], full: [60_000] },
  series: { smoke: [{ devices: 2 }], full: [{ devices: 1 }, { devices: 2 }] },
  async setup(images, { devices }) {
    const data = await loadMnist({ limit: images });
    const settings = settingsOf(images, devices);
    const counts = devices === 1 ? [1] : [1, devices];
    const groups = await Promise.all(
      counts.map((count) => TrainingGroup.start(settings, count, data)),
    );
    const { batch, type } = settings;
    const steps = `${devices} x ${batch} images in a step`;
    return {
      about: `epochs of ${showCount(images)} images, ${steps}, ${type}`,
      baseline: 'one device',
      verifyTimes: 3,
      variants: Object.fromEntries(
        groups.map((group) => [nameOf(group.devices), training(group, data, settings)]),
      ),
      close: async () => {
        await Promise.all(groups.map((group) => group.close()));
      },
    };
  },
  figures(found, { devices }) {
    const [one, several] = [found.get(nameOf(1))!, found.get(nameOf(devices))!];
    // Images that do not fill a step are left out, of one device fewer than of several.
    const images = several.notes!['images']! / one.notes!['images']!;
    return {
      imagesPerS: imagesPerS(several),
      oneImagesPerS: imagesPerS(one),
      ratio: images / medianRatio(several.samplesUs, one.samplesUs),
      storeShare: several.notes!['storeShare']!,
    };
  },
};

function nameOf(devices: number): string {
  return devices === 1 ? 'one device' : `${devices} devices`;
}

function imagesPerS({ medianUs, notes }: Measurement): number {
  return (notes!['images']! / medianUs) * 1e6;
}

function settingsOf(images: number, devices: number): Settings {
  const settings = parseArguments(['--devices', String(devices), '--epochs', String(epochs)]);
  if ('help' in settings) throw new Error('expected settings, got a help text');
  // Two steps an epoch at least.
  return { ...settings, batch: Math.min(settings.batch, Math.floor(images / devices / 2)) };
}

/** Epochs on one group of devices, which time themselves. */
function training(
  group: TrainingGroup,
  { training: { count } }: Mnist,
  settings: Settings,
): Variant {
  const stepImages = group.devices * settings.batch;
  const images = Math.floor(count / stepImages) * stepImages;
  let [epoch, loss, seconds, storeSeconds] = [0, Infinity, 0, 0];
  return {
    run: async (times) => {
      const before = seconds;
      for (let i = 0; i < times; i++) {
        const done = await group.runEpoch(epoch++, () => undefined);
        loss = done.loss;
        seconds += done.seconds;
        storeSeconds += done.storeShare * done.seconds;
      }
      return (seconds - before) * 1e6;
    },
    check: { holds: () => loss < lossOfGuessing },
    notes: () => ({ images, storeShare: storeSeconds / seconds }),
  };
}
