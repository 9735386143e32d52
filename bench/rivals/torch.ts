import { join } from 'node:path';
import type { StepProblem } from '../step/problem.js';
import { OutsideRival } from './outside-rival.js';

/** In the sources, not beside the compiled file. */
const program = join(import.meta.dirname, '..', '..', '..', 'bench', 'rivals', 'torch_step.py');

/** The first that has PyTorch is taken: a system's own Python may stand behind another one. */
const interpreters = ['python3', '/usr/bin/python3'];

/**
 * The step with PyTorch: lists of tensors in one process, its operations on all cores; or one process
 * a device, as DistributedDataParallel works over gloo. Undefined where PyTorch is not installed.
 */
export async function torchSteps(
  { sizes, devices }: StepProblem,
  way: 'in-process' | 'ddp',
): Promise<OutsideRival | undefined> {
  for (const interpreter of interpreters) {
    const args = [program, way, String(devices), sizes.join(',')];
    const rival = await OutsideRival.start(interpreter, args);
    if (rival) return rival;
  }
  return undefined;
}
