import { showCount } from './arrays.js';
import type { Bench, BenchOptions } from './harness.js';
import { bytesMoved } from './limit.js';
import { medianRatio } from './statistics.js';
import { limitOnAllCores } from './step/limit.js';
import { ofItsOwn } from './step/own-answer.js';
import { expectedAnswer, stepProblem, stepTraffic, verifySteps } from './step/problem.js';
import { storeSteps } from './step/store.js';

const elementsOfKey = 64;
const megabyte = 2 ** 20;

/**
 * The step of one point, beside that of a reference point: 16 MiB where bytes are varied, 1,000 keys
 * where keys are, else 4 devices. Both take turns, so that a drift of the machine between points does
 * not look like a cost that grows.
 */
export const bench: Bench = {
  name: 'scaling',
  question: 'Does a byte, a key or a device cost more, the more of them there are?',
  // Elements of all keys together.
  sizes: { smoke: [1000], full: [2 * megabyte] },
  series: {
    smoke: [{ devices: 1 }, { devices: 5 }, { bytes: 4096 }, { keys: 10 }],
    full: [
      ...[1, 2, 4, 8, 16, 32, 64].map((devices) => ({ devices })),
      ...[4096, 65_536, megabyte, 4 * megabyte, 16 * megabyte, 64 * megabyte].map((bytes) => ({
        bytes,
      })),
      ...[10, 100, 1000, 10_000, 100_000].map((keys) => ({ keys })),
    ],
  },
  sizeFor: ({ bytes, keys, floats = elementsOfKey }) => {
    if (keys !== undefined) return keys * floats;
    return bytes === undefined ? undefined : Math.ceil(bytes / 4);
  },
  async setup(size, options) {
    const [problem, reference] = [pointOf(size, options), referenceOf(size, options)].map(
      problemOf,
    );
    const traffic = stepTraffic(problem!);
    const ours = await storeSteps(problem!, { how: 'pushpullSync' });
    const other = ofItsOwn(
      await storeSteps(reference!, { how: 'pushpullSync' }),
      expectedAnswer(reference!),
    );
    const limit = limitOnAllCores(traffic);
    const { keys, elements, devices } = pointOf(size, options);
    return {
      about: `${showCount(keys)} x ${showCount(elements)} float32, ${devices} devices, SGD with momentum`,
      baseline: 'limit',
      bytes: bytesMoved(traffic),
      verifyTimes: verifySteps,
      expected: expectedAnswer(problem!),
      variants: { limit: limit.variant, ours: ours.variant, reference: other.variant },
      close: async () => {
        await Promise.all([ours, other, limit].map((each) => each.close()));
      },
    };
  },
  figures(found, options) {
    const { size, medianUs, samplesUs, ratio } = found.get('ours')!;
    const [point, reference] = [pointOf(size, options), referenceOf(size, options)];
    const work = options.keys === undefined ? bytesOf : (each: Point) => each.keys;
    const times = medianRatio(samplesUs, found.get('reference')!.samplesUs);
    return {
      us: medianUs,
      limitUs: found.get('limit')!.medianUs,
      usPerKey: medianUs / point.keys,
      nsPerByte: (medianUs * 1000) / bytesOf(point),
      relative: (times * work(reference)) / work(point),
      ratio,
    };
  },
};

/** A step: so many keys of so many elements, on so many devices. */
interface Point {
  readonly keys: number;
  readonly elements: number;
  readonly devices: number;
}

function pointOf(size: number, { devices, keys = 1 }: BenchOptions): Point {
  return { keys, elements: Math.ceil(size / keys), devices };
}

function referenceOf(size: number, options: BenchOptions): Point {
  const point = pointOf(size, options);
  if (options.keys !== undefined) return { ...point, keys: 1000 };
  if (options.bytes !== undefined) return { ...point, elements: 4 * megabyte };
  return { ...point, devices: 4 };
}

function problemOf({ keys, elements, devices }: Point) {
  return stepProblem(new Array<number>(keys).fill(elements), devices);
}

function bytesOf({ keys, elements, devices }: Point): number {
  return bytesMoved(stepTraffic({ length: keys * elements, devices }));
}
