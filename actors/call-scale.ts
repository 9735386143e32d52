import type { Elements } from '../src/core/device-array.js';
import type { CommonOptions } from '../src/core/optimizers/optimizer.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import type { Rule } from './rule.js';

/** The round of one key: its values in order. */
export interface RoundInputs {
  readonly entry: Entry;
  readonly inputs: readonly Elements[];
}

/** Whether the keys of a call have to be updated together under `rule`. */
export function spansCall(rule: Rule): rule is Rule & { readonly kind: 'optimizer' } {
  if (rule.kind !== 'optimizer') return false;
  return rule.options.clipGlobalNorm !== undefined || rule.options.lossScale !== undefined;
}

/**
 * What all gradients of a call are multiplied by, beside `rescaleGrad`; undefined when one of them is
 * not finite and the call is to be skipped. With n the norm of all gradients together, after both:
 * `min(1, clipGlobalNorm / n) / lossScale` (Pascanu, Mikolov & Bengio, "On the difficulty of training
 * recurrent neural networks", 2013; Micikevicius et al., "Mixed Precision Training", 2018).
 */
export function callFactor(
  kernels: Kernels,
  { clipGlobalNorm, lossScale, rescaleGrad }: CommonOptions,
  rounds: readonly RoundInputs[],
): number | undefined {
  let squares = 0;
  for (const { entry, inputs } of rounds) squares += kernels.squares(inputs, entry.like.dtype);
  if (lossScale !== undefined && !Number.isFinite(squares)) return undefined;
  const unscale = 1 / (lossScale ?? 1);
  const norm = Math.sqrt(squares) * Math.abs(rescaleGrad) * unscale;
  const isLong = clipGlobalNorm !== undefined && norm > clipGlobalNorm;
  return isLong ? (clipGlobalNorm / norm) * unscale : unscale;
}

/** The next `lossScale` and the calls since it changed, after a call that was skipped or not. */
export function nextLossScale(
  { lossScale, lossScaleWindow }: CommonOptions,
  goodCalls: number,
  skipped: boolean,
): { readonly lossScale: number; readonly goodCalls: number } | undefined {
  if (lossScale === undefined || lossScaleWindow === undefined) return undefined;
  if (skipped) return { lossScale: lossScale / 2, goodCalls: 0 };
  if (goodCalls + 1 < lossScaleWindow) return { lossScale, goodCalls: goodCalls + 1 };
  return { lossScale: lossScale * 2, goodCalls: 0 };
}
