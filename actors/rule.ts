import type { CommonOptions, Optimizer } from '../src/core/optimizers/optimizer.js';
import type { Rank } from '../src/core/protocol.js';
import type { Updater } from '../src/core/updaters.js';

/** How a round's values become the next version. */
export type Rule = RuleKind & {
  /** Which setting this comes from; a change of an optimizer's options is not a new one. */
  readonly setting: number;
};

/** What can be set. */
export type RuleKind =
  | { readonly kind: 'assign' }
  /** A function of device `rank`, which knows it by `handle`, runs on that device. */
  | { readonly kind: 'caller'; readonly rank: Rank; readonly handle: number }
  | { readonly kind: 'module'; readonly updater: Updater }
  | {
      readonly kind: 'optimizer';
      readonly optimizer: Optimizer;
      readonly options: CommonOptions;
    };
