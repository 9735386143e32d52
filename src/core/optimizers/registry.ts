import { KVStoreError, show } from '../errors.js';
import { adabelief, type AdabeliefOptions } from './adabelief.js';
import { adadelta, type AdadeltaOptions } from './adadelta.js';
import { adafactor, type AdafactorOptions } from './adafactor.js';
import { adagrad, type AdagradOptions } from './adagrad.js';
import { adam, type AdamOptions } from './adam.js';
import { adamax, type AdamaxOptions } from './adamax.js';
import { adamw, type AdamwOptions } from './adamw.js';
import { amsgrad, type AmsgradOptions } from './amsgrad.js';
import { dcasgd, type DcasgdOptions } from './dcasgd.js';
import { ftml, type FtmlOptions } from './ftml.js';
import { ftrl, type FtrlOptions } from './ftrl.js';
import { groupadagrad, type GroupAdagradOptions } from './groupadagrad.js';
import { lamb, type LambOptions } from './lamb.js';
import { lans, type LansOptions } from './lans.js';
import { lars, type LarsOptions } from './lars.js';
import { lion, type LionOptions } from './lion.js';
import { muon, type MuonOptions } from './muon.js';
import { nadam, type NadamOptions } from './nadam.js';
import { nag, type NagOptions } from './nag.js';
import { isPlainObject } from '../options.js';
import type { Optimizer, OptimizerSpec } from './optimizer.js';
import { radam, type RadamOptions } from './radam.js';
import { rmsprop, type RmspropOptions } from './rmsprop.js';
import { schedulefreeadamw, type ScheduleFreeAdamwOptions } from './schedulefreeadamw.js';
import { sgd, type SgdOptions } from './sgd.js';
import { sgld, type SgldOptions } from './sgld.js';
import { signum, type SignumOptions } from './signum.js';

/** Options of each optimizer, by its name. */
export interface OptimizerOptions {
  adabelief: AdabeliefOptions;
  adadelta: AdadeltaOptions;
  adafactor: AdafactorOptions;
  adagrad: AdagradOptions;
  adam: AdamOptions;
  adamax: AdamaxOptions;
  adamw: AdamwOptions;
  amsgrad: AmsgradOptions;
  dcasgd: DcasgdOptions;
  ftml: FtmlOptions;
  ftrl: FtrlOptions;
  groupadagrad: GroupAdagradOptions;
  lamb: LambOptions;
  lans: LansOptions;
  lars: LarsOptions;
  lion: LionOptions;
  muon: MuonOptions;
  nadam: NadamOptions;
  nag: NagOptions;
  radam: RadamOptions;
  rmsprop: RmspropOptions;
  schedulefreeadamw: ScheduleFreeAdamwOptions;
  sgd: SgdOptions;
  sgld: SgldOptions;
  signum: SignumOptions;
}

/** The name of a built-in optimizer. */
export type OptimizerName = keyof OptimizerOptions;

type BuiltIn = { readonly [Name in OptimizerName]: Optimizer<OptimizerOptions[Name]> };

const builtIn: BuiltIn = {
  adabelief,
  adadelta,
  adafactor,
  adagrad,
  adam,
  adamax,
  adamw,
  amsgrad,
  dcasgd,
  ftml,
  ftrl,
  groupadagrad,
  lamb,
  lans,
  lars,
  lion,
  muon,
  nadam,
  nag,
  radam,
  rmsprop,
  schedulefreeadamw,
  sgd,
  sgld,
  signum,
};

/** Names of the built-in optimizers. */
export const optimizerNames = Object.keys(builtIn) as OptimizerName[];

/** The optimizer called `name`, in any case. Throws `unknown_optimizer`. */
export function optimizerNamed(name: unknown): Optimizer {
  const lower = typeof name === 'string' ? name.toLowerCase() : '';
  if (Object.hasOwn(builtIn, lower)) {
    return builtIn[lower as OptimizerName] as unknown as Optimizer;
  }
  throw new KVStoreError(
    'unknown_optimizer',
    `expected an optimizer (${optimizerNames.join(', ')}), got ${show(name)}`,
  );
}

/** A function per optimizer that checks its options and gives what `setOptimizer` takes. */
export type Optim = {
  readonly [Name in OptimizerName]: (options?: Partial<OptimizerOptions[Name]>) => OptimizerSpec;
};

/**
 * Optimizers by name: `optim.sgd({ lr: 0.1, momentum: 0.9 })` is what `setOptimizer` takes. The file
 * of each has its formula, its source and its defaults. Throws `bad_optimizer`.
 */
export const optim: Optim = Object.freeze(
  Object.fromEntries(optimizerNames.map((name) => [name, (options = {}) => spec(name, options)])),
) as Optim;

function spec(name: OptimizerName, options: unknown): OptimizerSpec {
  if (!isPlainObject(options)) {
    const message = `optim.${name} expected an options object, got ${show(options)}`;
    throw new KVStoreError('bad_optimizer', message);
  }
  optimizerNamed(name).resolve(options);
  return { name, options };
}
