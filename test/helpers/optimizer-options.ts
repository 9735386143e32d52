import { optimizerNamed, type OptimizerName } from '../../src/core/optimizers/registry.js';

/** The options of an optimizer that are numbers by default, and those that are numbers if given. */
export function checkedDefaults(name: OptimizerName): string[] {
  const resolved = Object.entries(optimizerNamed(name).resolve({}));
  const numeric = resolved.filter(([, value]) => typeof value === 'number').map(([key]) => key);
  return [...numeric, 'clipGradient', 'clipGlobalNorm', 'lossScale', 'lossScaleWindow', 'ema'];
}
