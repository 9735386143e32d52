import type { Failure } from '../src/core/errors.js';
import type { OptimizerModule, Request } from '../src/core/protocol.js';
import type { Updater } from '../src/core/updaters.js';
import type { CoordinatorHost } from './coordinator-needs.js';
import type { EntryTicket } from './entry.js';
import { Optimizers } from './optimizers.js';
import type { RuleKind } from './rule.js';

/** A request that sets how new versions are made. */
type RuleRequest = Request & { readonly type: 'setUpdater' | 'setOptimizer' };

/** Any request that is a setting. */
export type SettingRequest = RuleRequest | (Request & { readonly type: 'setCompression' });

/** What settings need of the coordinator around them. */
interface SettingsContext {
  readonly host: Pick<CoordinatorHost, 'loadModule'>;
  /** Keeps what its device sends next until the ticket is answered. */
  hold(ticket: EntryTicket): void;
  /** Ends a wait: goes on with the request, or fails it. */
  resume(ticket: EntryTicket, failure: Failure | undefined, goOn: () => void): void;
}

/** Turns requests into rules; those that name modules wait until these are loaded. */
export class Settings {
  readonly optimizers: Optimizers;
  readonly #context: SettingsContext;

  constructor(context: SettingsContext) {
    this.#context = context;
    this.optimizers = new Optimizers(context.host);
  }

  /** Calls `use` with the rule that a request sets. Throws `unknown_optimizer`, `bad_optimizer`. */
  ruleOf(ticket: EntryTicket, request: RuleRequest, use: (rule: RuleKind) => void): void {
    if (request.type === 'setOptimizer') {
      const { module, optimizer: spec } = request;
      return this.withOptimizers(ticket, module && [module], () => {
        const optimizer = this.optimizers.named(spec.name);
        use({ kind: 'optimizer', optimizer, options: optimizer.resolve(spec.options) });
      });
    }
    const { updater } = request;
    if (updater.kind !== 'module') {
      return use(updater.kind === 'caller' ? { ...updater, rank: ticket.rank } : updater);
    }
    this.#context.hold(ticket);
    this.#context.host.loadModule('updater', updater.url, (outcome) => {
      const failure = 'failure' in outcome ? outcome.failure : undefined;
      const exported = 'exported' in outcome ? outcome.exported : undefined;
      this.#context.resume(ticket, failure, () =>
        use({ kind: 'module', updater: exported as Updater }),
      );
    });
  }

  /** Goes on with a request: at once, or when the optimizers that it may name are loaded. */
  withOptimizers(
    ticket: EntryTicket,
    modules: readonly OptimizerModule[] | undefined,
    goOn: () => void,
  ): void {
    if (modules === undefined || !this.optimizers.areMissing(modules)) return goOn();
    this.#context.hold(ticket);
    this.optimizers.load(modules, (failure) => this.#context.resume(ticket, failure, goOn));
  }
}
