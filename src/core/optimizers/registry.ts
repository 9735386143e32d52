import { KVStoreError, show } from '../errors.js';
import type { CommonOptions, Optimizer, OptimizerSpec } from './optimizer.js';
import { sgd, type SgdOptions } from './sgd.js';

const optimizers = new Map<string, Optimizer<CommonOptions>>([
  [sgd.name, sgd as unknown as Optimizer<CommonOptions>],
]);

/** The optimizer called `name`, in any case. Throws `unknown_optimizer`. */
export function optimizerNamed(name: unknown): Optimizer<CommonOptions> {
  const found = typeof name === 'string' ? optimizers.get(name.toLowerCase()) : undefined;
  if (found) return found;
  const names = [...optimizers.keys()].join(', ');
  throw new KVStoreError(
    'unknown_optimizer',
    `expected an optimizer (${names}), got ${show(name)}`,
  );
}

/** Optimizers by name: `optim.sgd({ lr: 0.1, momentum: 0.9 })` is what `setOptimizer` takes. */
export const optim = {
  /** See `sgd` for the formula and the defaults. Throws `bad_optimizer`. */
  sgd: (options: Partial<SgdOptions> = {}): OptimizerSpec => spec(sgd.name, options),
} as const;

function spec(name: string, options: object): OptimizerSpec {
  const given = options as Readonly<Record<string, unknown>>;
  optimizerNamed(name).resolve(given);
  return { name, options: given };
}
