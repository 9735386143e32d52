import { showCount } from './arrays.js';
import type { Bench } from './harness.js';
import { percentile } from './statistics.js';
import { kernelsOnAllCores } from './step/kernels.js';
import { expectedAnswer, stepProblem, verifySteps } from './step/problem.js';
import { storeSteps } from './step/store.js';

const elementsOfKey = 64;

/** What does a key cost when it is so small that its elements cost nothing? */
export const bench: Bench = {
  name: 'many-keys',
  question: 'How long does a step over many small keys take, as one list?',
  effort: { sampleMs: 100, warmUpMs: 2000 },
  sizes: { smoke: [50], full: [1000] },
  sizeFor: ({ keys }) => keys,
  async setup(keys, { devices, floats = elementsOfKey }) {
    const problem = stepProblem(
      Array.from({ length: keys }, () => floats),
      devices,
    );
    const blocking = await storeSteps(problem, { how: 'pushpullSync' });
    const awaited = await storeSteps(problem, { how: 'pushpull' });
    const floor = kernelsOnAllCores(problem);
    return {
      about: `${showCount(keys)} tensors of ${floats} float32, ${devices} devices, SGD with momentum`,
      baseline: 'floor',
      verifyTimes: verifySteps,
      expected: expectedAnswer(problem),
      variants: { floor: floor.variant, blocking: blocking.variant, awaited: awaited.variant },
      close: async () => {
        await Promise.all([blocking, awaited, floor].map((each) => each.close()));
      },
    };
  },
  figures(found) {
    const { size: keys, roundsUs } = found.get('blocking')!;
    return {
      usPerKey: percentile(roundsUs!, 50) / keys,
      awaitedUsPerKey: percentile(found.get('awaited')!.roundsUs!, 50) / keys,
      floorUsPerKey: found.get('floor')!.medianUs / keys,
    };
  },
};
