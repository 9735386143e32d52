import type { Prepared } from '../harness.js';
import { byteLimit, bytesMoved } from '../limit.js';
import { cloneSteps } from '../rivals/structured-clone.js';
import { sharedSteps } from '../rivals/shared-array-buffer.js';
import { kernelsOnOneThread, kernelsOnTwoThreads } from './kernels.js';
import { expectedAnswer, stepProblem, stepTraffic, verifySteps } from './problem.js';
import { storeSteps } from './store.js';

/** The store, its limit and its rivals on one training step over tensors of `sizes`. */
export async function prepareSteps(
  sizes: readonly number[],
  devices: number,
  tensors: string,
): Promise<Prepared> {
  const problem = stepProblem(sizes, devices);
  const traffic = stepTraffic(problem);
  const store = await storeSteps(problem, 'dist_sync');
  const two = kernelsOnTwoThreads(problem);
  const shared = sharedSteps(problem);
  const clones = cloneSteps(problem);
  return {
    about: `${tensors}, ${devices} devices, SGD with momentum, results copied to every device`,
    baseline: 'kernels, 2 threads',
    bytes: bytesMoved(traffic),
    verifyTimes: verifySteps,
    expected: expectedAnswer(problem),
    variants: {
      'limit, 1 thread': byteLimit(traffic),
      'kernels, 2 threads': two.variant,
      'kernels, 1 thread': kernelsOnOneThread(problem),
      dist_sync: store.variant,
      'shared memory by hand': shared.variant,
      'structured clones': clones.variant,
    },
    close: async () => {
      await Promise.all([two, store, shared, clones].map((each) => each.close()));
    },
  };
}
