import type { Bench } from '../harness.js';
import { gpuKernels } from './kernels.bench.js';
import { gpuSteps } from './step.bench.js';

/** Every bench of a CUDA device, in the order in which they run. */
export const gpuBenches: readonly Bench[] = [...gpuKernels, ...gpuSteps];
