import {
  commonChecks,
  commonDefaults,
  factorOf,
  resolveOptions,
  type CommonOptions,
  type Optimizer,
} from './optimizer.js';

/** Options of `sgd`. */
export interface SgdOptions extends CommonOptions {
  /** Share of the last step that is kept; 0 needs no slot. */
  readonly momentum: number;
}

/**
 * Stochastic gradient descent with momentum, as MXNet 2.0 defines it (its optimizer `SGD`):
 *
 *     g = clip(rescaleGrad * sum(inputs), clipGradient) + wd * w
 *     m = momentum * m - lr * g
 *     w = w + m
 *
 * and without momentum `w = w - lr * g`. `lr` and `wd` are those of the key: times its factors.
 */
export const sgd: Optimizer<SgdOptions> = {
  name: 'sgd',
  resolve: (given) =>
    resolveOptions<SgdOptions>(
      'sgd',
      given,
      { ...commonDefaults, lr: 0.1, momentum: 0 },
      { ...commonChecks, momentum: 'nonNegative' },
    ),
  slots: ({ momentum }) => (momentum === 0 ? [] : ['momentum']),
  update: (kernels, options, { key, inputs, stored, slots }) =>
    kernels.sgdStep(inputs, stored, slots[0], {
      lr: options.lr * factorOf(options.lrMult, key),
      momentum: options.momentum,
      wd: options.wd * factorOf(options.wdMult, key),
      rescaleGrad: options.rescaleGrad,
      clipGradient: options.clipGradient,
    }),
};
