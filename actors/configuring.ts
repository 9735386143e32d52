import type { Request } from '../src/core/protocol.js';
import type { Failure } from '../src/core/errors.js';
import type { Collective } from './collective.js';
import type { EntryTicket } from './entry.js';
import type { KeyTable } from './key-table.js';
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
  answer(ticket: EntryTicket, failure: Failure | undefined): void;
}

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
    if (request.type === 'setCompression') {
      updates.compression.use(request.compression);
      return this.#configured(ticket);
    }
    this.#use(ticket, request);
  }

  #use(ticket: EntryTicket, request: Exclude<SettingRequest, { type: 'setCompression' }>): void {
    const { keys, updates, settings, ruleChanged } = this.#context;
    settings.ruleOf(ticket, request, (rule) => {
      updates.use(rule, keys.entries());
      ruleChanged();
      this.#configured(ticket);
    });
  }

  #configured(ticket: EntryTicket): void {
    this.#context.answer(ticket, undefined);
    this.#context.collective.configured(ticket, undefined);
  }
}
