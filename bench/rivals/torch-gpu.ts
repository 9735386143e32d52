import { join } from 'node:path';
import type { StepProblem } from '../step/problem.js';
import { OutsideRival } from './outside-rival.js';

/** In the sources, not beside the compiled file. */
const program = join(import.meta.dirname, '..', '..', '..', 'bench', 'rivals', 'torch_gpu_step.py');

/** How PyTorch may do the step on a GPU; torch_gpu_step.py explains them. */
export const torchWays = ['eager', 'foreach', 'compiled', 'graph'] as const;

type Way = (typeof torchWays)[number];

/** The step on a GPU with PyTorch, each way that works here. */
export async function torchGpuSteps({
  sizes,
  devices,
}: StepProblem): Promise<Partial<Record<Way, OutsideRival>>> {
  const started: Partial<Record<Way, OutsideRival>> = {};
  for (const way of torchWays) {
    const args = [program, way, String(devices), String(devices), sizes.join(',')];
    const rival = await OutsideRival.start('python3', args);
    if (rival !== undefined) started[way] = rival;
  }
  return started;
}
