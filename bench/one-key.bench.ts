import { showCount } from './arrays.js';
import type { Bench } from './harness.js';
import { outsideRivals } from './rivals/outside.js';
import { percentile } from './statistics.js';
import { kernelsOnAllCores } from './step/kernels.js';
import { expectedAnswer, stepProblem, verifySteps } from './step/problem.js';
import { storeSteps } from './step/store.js';

/** What does it cost devices to meet at a key, when there is next to nothing to add? */
export const bench: Bench = {
  name: 'one-key',
  question: 'How long does a step over one small key take, when every device waits for the others?',
  effort: { sampleMs: 100, warmUpMs: 2000 },
  sizes: { smoke: [1024], full: [1024] },
  sizeFor: ({ bytes }) => (bytes === undefined ? undefined : Math.ceil(bytes / 4)),
  async setup(length, { devices, outside }) {
    const problem = stepProblem([length], devices);
    const blocking = await storeSteps(problem, { how: 'pushpullSync' });
    const awaited = await storeSteps(problem, { how: 'pushpull' });
    const floor = kernelsOnAllCores(problem);
    const { rivals, missing } = await outsideRivals(problem, ['openmpi'], outside);
    const all = { floor, blocking, awaited, ...rivals };
    return {
      about: `1 tensor of ${showCount(length)} float32, ${devices} devices, SGD with momentum${missing}`,
      baseline: 'floor',
      verifyTimes: verifySteps,
      expected: expectedAnswer(problem),
      variants: Object.fromEntries(
        Object.entries(all).map(([name, { variant }]) => [name, variant]),
      ),
      close: async () => {
        await Promise.all(Object.values(all).map((each) => each.close()));
      },
    };
  },
  figures(found) {
    const rounds = found.get('blocking')!.roundsUs!;
    const awaited = found.get('awaited')!.roundsUs!;
    const openmpi = found.get('openmpi')?.roundsUs;
    return {
      p50Us: percentile(rounds, 50),
      p99Us: percentile(rounds, 99),
      awaitedP50Us: percentile(awaited, 50),
      awaitedP99Us: percentile(awaited, 99),
      floorUs: found.get('floor')!.medianUs,
      ...(openmpi === undefined
        ? {}
        : { openmpiUs: percentile(openmpi, 50), openmpiP99Us: percentile(openmpi, 99) }),
    };
  },
};
