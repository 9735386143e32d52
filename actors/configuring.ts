import type { Rank, Request } from '../src/core/protocol.js';
import type { Failure } from '../src/core/errors.js';
import type { Collective } from './collective.js';
import type { EntryTicket } from './entry.js';
import type { KeyTable } from './key-table.js';
import type { RuleKind } from './rule.js';
import type { Settings, SettingRequest } from './settings.js';
import type { UpdateRule } from './update-rule.js';

/** What the carrying out of settings needs of the coordinator around it. */
export interface ConfiguringContext {
  readonly keys: KeyTable;
  readonly updates: UpdateRule;
  readonly settings: Settings;
  readonly collective: Collective;
  /** Hears of the rule that has been set. */
  ruleChanged(): void;
  /** Updates need no function of an earlier incarnation of `rank`. */
  functionSet(rank: Rank): void;
  answer(ticket: EntryTicket, failure: Failure | undefined): void;
}

type Repeated = NonNullable<ReturnType<Collective['repeated']>>;

/** Whether a request is a setting: rank 0's count, others follow them. */
export function isSetting(request: Request): request is SettingRequest {
  const { type } = request;
  return type === 'setUpdater' || type === 'setOptimizer' || type === 'setCompression';
}

/** Rank 0's setting counts; the n-th one of another device waits for the n-th of rank 0. */
export class Configuring {
  readonly #context: ConfiguringContext;

  constructor(context: ConfiguringContext) {
    this.#context = context;
  }

  /** Carries out a setting, or holds it until rank 0 has made its own. */
  run(ticket: EntryTicket, request: SettingRequest): void {
    const { collective, updates, answer } = this.#context;
    if (ticket.rank !== 0) {
      const outcome = collective.follow(ticket);
      if (outcome !== 'held') answer(ticket, outcome.failure);
      return;
    }
    const repeated = collective.repeated();
    if (repeated !== undefined) return this.#repeat(ticket, request, repeated);
    if (request.type === 'setCompression') {
      updates.compression.use(request.compression);
      return this.#configured(ticket);
    }
    this.#use(ticket, request);
  }

  #use(ticket: EntryTicket, request: Exclude<SettingRequest, { type: 'setCompression' }>): void {
    const { keys, updates, settings, ruleChanged, functionSet } = this.#context;
    settings.ruleOf(ticket, request, (rule) => {
      updates.use(rule, keys.entries());
      ruleChanged();
      functionSet(ticket.rank);
      this.#configured(ticket);
    });
  }

  /**
   * A new incarnation of rank 0 sets what an earlier one has set: that stays in force. An updater
   * function is of the thread that has died, so the new one takes its place.
   */
  #repeat(ticket: EntryTicket, request: SettingRequest, { failure, isLast }: Repeated): void {
    const { keys, updates, ruleChanged, functionSet, answer } = this.#context;
    const isFunction = request.type === 'setUpdater' && request.updater.kind === 'caller';
    if (isFunction && isLast && failure === undefined) {
      updates.use({ ...request.updater, rank: ticket.rank } as RuleKind, keys.entries());
      ruleChanged();
      functionSet(ticket.rank);
    }
    answer(ticket, failure);
  }

  #configured(ticket: EntryTicket): void {
    this.#context.answer(ticket, undefined);
    this.#context.collective.configured(ticket, undefined);
  }
}
