import assert from 'node:assert/strict';
import { sizeOf, type Shape } from '../shape.js';
import { adabeliefKernel } from './adabelief.js';
import { adadeltaKernel } from './adadelta.js';
import { adafactorMatrixKernel, adafactorVectorKernel } from './adafactor.js';
import { adagradKernel } from './adagrad.js';
import { adamKernel } from './adam.js';
import { adamaxKernel } from './adamax.js';
import { adamwKernel } from './adamw.js';
import { amsgradKernel } from './amsgrad.js';
import { dcasgdKernel } from './dcasgd.js';
import { ftmlKernel } from './ftml.js';
import { ftrlKernel } from './ftrl.js';
import { groupAdagradKernel } from './groupadagrad.js';
import type { StepKernel } from './kernel.js';
import { lambKernel } from './lamb.js';
import { lansKernel } from './lans.js';
import { larsKernel } from './lars.js';
import { lionKernel } from './lion.js';
import { muonKernel } from './muon.js';
import { nadamKernel } from './nadam.js';
import { nagKernel } from './nag.js';
import { radamKernel } from './radam.js';
import { rmspropCenteredKernel, rmspropKernel } from './rmsprop.js';
import { scheduleFreeAdamwKernel } from './schedulefreeadamw.js';
import { sgdKernel, sgdMomentumKernel } from './sgd.js';
import { sgldKernel } from './sgld.js';
import { signKernel, signumKernel } from './signum.js';

/** The kernel of every update rule. The native addon has one of each name. */
export const stepKernels: readonly StepKernel[] = [
  adabeliefKernel,
  adadeltaKernel,
  adafactorMatrixKernel,
  adafactorVectorKernel,
  adagradKernel,
  adamKernel,
  adamaxKernel,
  adamwKernel,
  amsgradKernel,
  dcasgdKernel,
  ftmlKernel,
  ftrlKernel,
  groupAdagradKernel,
  lambKernel,
  lansKernel,
  larsKernel,
  lionKernel,
  muonKernel,
  nadamKernel,
  nagKernel,
  radamKernel,
  rmspropCenteredKernel,
  rmspropKernel,
  scheduleFreeAdamwKernel,
  sgdKernel,
  sgdMomentumKernel,
  sgldKernel,
  signKernel,
  signumKernel,
];

const byName = new Map(stepKernels.map((kernel) => [kernel.name, kernel]));

/** The kernel called `name`. */
export function stepKernelNamed(name: string): StepKernel {
  const kernel = byName.get(name);
  assert(kernel, `there is no update rule ${name}`);
  return kernel;
}

/** Hyper-parameters that every step begins with: rescale, clip, decay, ema. */
export const commonHyper = 4;

/**
 * Elements of scratch that a step of `kernel` needs: its own room, the summed gradient if it keeps
 * it, and the weights of a half type that has no master.
 */
export function scratchLength(kernel: StepKernel, shape: Shape, widens: boolean): number {
  if (!kernel.whole) return 0;
  const arrays = (kernel.keepsGradient ? 1 : 0) + (widens ? 1 : 0);
  return (kernel.extra?.(shape) ?? 0) + arrays * sizeOf(shape);
}
