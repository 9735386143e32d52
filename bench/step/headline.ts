import type { BenchOptions, Prepared } from '../harness.js';
import { bytesMoved } from '../limit.js';
import { outsideRivals } from '../rivals/outside.js';
import { sharedSteps } from '../rivals/shared-array-buffer.js';
import { cloneSteps } from '../rivals/structured-clone.js';
import { kernelsOnAllCores } from './kernels.js';
import { limitOnAllCores } from './limit.js';
import { localSteps } from './local.js';
import { ofItsOwn } from './own-answer.js';
import { expectedAnswer, stepProblem, stepTraffic, verifySteps } from './problem.js';
import { storeSteps } from './store.js';

/** The store, its limits and what people write by hand, on one training step. */
export async function prepareHeadline(
  sizes: readonly number[],
  { devices, outside }: BenchOptions,
  tensors: string,
): Promise<Prepared> {
  const problem = stepProblem(sizes, devices);
  const traffic = stepTraffic(problem);
  const ours = await storeSteps(problem, { how: 'pushpullSync' });
  const awaited = await storeSteps(problem, { how: 'pushpull' });
  const view = await storeSteps(problem, { how: 'view' });
  const push = await storeSteps(problem, { how: 'push' });
  const empty = stepProblem(new Array<number>(sizes.length).fill(1), devices);
  const calls = await storeSteps(empty, { how: 'pushpullSync' });
  const local = await localSteps(problem);
  const limit = limitOnAllCores(traffic);
  const sharedLimit = limitOnAllCores({ ...traffic, written: 0 });
  const kernels = kernelsOnAllCores(problem);
  const nodeShared = sharedSteps(problem);
  const clones = cloneSteps(problem);
  const names = ['openmpi', 'torchInProcess', 'ddpGloo'] as const;
  const { rivals, missing } = await outsideRivals(problem, names, outside);
  const store = { ours, awaited, view, push, local, calls: ofItsOwn(calls, expectedAnswer(empty)) };
  const all = { limit, sharedLimit, kernels, ...store, nodeShared, clones, ...rivals };
  return {
    about: `${tensors}, ${devices} devices, SGD with momentum${missing}`,
    baseline: 'limit',
    bytes: bytesMoved(traffic),
    verifyTimes: verifySteps,
    expected: expectedAnswer(problem),
    variants: Object.fromEntries(Object.entries(all).map(([name, { variant }]) => [name, variant])),
    close: async () => {
      await Promise.all(Object.values(all).map((each) => each.close()));
    },
  };
}
