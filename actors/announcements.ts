import { customOf } from '../src/core/optimizers/custom.js';
import { plainOptions } from '../src/core/optimizers/optimizer.js';
import { rulesPerWord, type FromCoordinator, type Rank } from '../src/core/protocol.js';
import type { Entry } from './entry.js';
import type { Members } from './members.js';
import type { RuleKind } from './rule.js';

/** How many rules a device may be told of before it says that it has heard any. */
const mostUnheard = 2 * rulesPerWord;

/**
 * Tells every live device what has changed for all of them. Of rules, one that reads nothing for long
 * is told no more: when it reads again, it hears of the last.
 */
export class Announcements {
  readonly #members: Members;
  readonly #send: (to: Rank, message: FromCoordinator) => void;
  readonly #unheard = new Map<Rank, number>();
  /** Those who have not been told of the last rule. */
  readonly #behind = new Set<Rank>();
  #rule: FromCoordinator = { type: 'optimizer' };

  constructor(members: Members, send: (to: Rank, message: FromCoordinator) => void) {
    this.#members = members;
    this.#send = send;
  }

  /** Device `rank` is new here, and knows nothing. */
  welcome(rank: Rank, entries: readonly Entry[]): void {
    this.keys(entries, [rank]);
    this.#unheard.delete(rank);
    this.#tellRule(rank);
  }

  /** These keys exist from now on; told to `ranks`, or to all. */
  keys(entries: readonly Entry[], ranks = this.#members.live()): void {
    const keys = entries.map(({ key, order: number, like }) => {
      const { shape, dtype, device } = like;
      return { key, number, shape, dtype, device };
    });
    for (const rank of ranks) this.#send(rank, { type: 'keys', keys });
  }

  /** This optimizer is in force with these options, or none. */
  rule(rule: RuleKind): void {
    this.#rule = { type: 'optimizer', ...plainRule(rule) };
    for (const rank of this.#members.live()) {
      if ((this.#unheard.get(rank) ?? 0) < mostUnheard) this.#tellRule(rank);
      else this.#behind.add(rank);
    }
  }

  /** Device `rank` says that it has heard of some rules. */
  heard(rank: Rank): void {
    this.#unheard.set(rank, Math.max(0, (this.#unheard.get(rank) ?? 0) - rulesPerWord));
    this.catchUp(rank);
  }

  /** Before device `rank` gets an answer: it is told of the last rule, if it has not been. */
  catchUp(rank: Rank): void {
    if (this.#behind.has(rank)) this.#tellRule(rank);
  }

  #tellRule(rank: Rank): void {
    this.#behind.delete(rank);
    this.#unheard.set(rank, (this.#unheard.get(rank) ?? 0) + 1);
    this.#send(rank, this.#rule);
  }
}

function plainRule(rule: RuleKind): Omit<FromCoordinator & { type: 'optimizer' }, 'type'> {
  if (rule.kind !== 'optimizer') return {};
  const custom = customOf(rule.optimizer)?.spec;
  const { name } = rule.optimizer;
  return { name, options: plainOptions(rule.options), ...(custom && { custom }) };
}
