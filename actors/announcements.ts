import { customOf } from '../src/core/optimizers/custom.js';
import { plainOptions } from '../src/core/optimizers/optimizer.js';
import type { FromCoordinator, Rank } from '../src/core/protocol.js';
import type { Entry } from './entry.js';
import type { Members } from './members.js';
import type { RuleKind } from './rule.js';

/** Tells every live device what has changed for all of them. */
export class Announcements {
  readonly #members: Members;
  readonly #send: (to: Rank, message: FromCoordinator) => void;

  constructor(members: Members, send: (to: Rank, message: FromCoordinator) => void) {
    this.#members = members;
    this.#send = send;
  }

  /** These keys exist from now on; told to `ranks`, or to all. */
  keys(entries: readonly Entry[], ranks = this.#members.live()): void {
    const keys = entries.map(({ key, order: number, like }) => {
      const { shape, dtype, device } = like;
      return { key, number, shape, dtype, device };
    });
    this.#tell(ranks, { type: 'keys', keys });
  }

  /** This optimizer is in force with these options, or none; told to `ranks`, or to all. */
  rule(rule: RuleKind, ranks = this.#members.live()): void {
    const set =
      rule.kind === 'optimizer'
        ? { name: rule.optimizer.name, options: plainOptions(rule.options) }
        : {};
    const custom = rule.kind === 'optimizer' ? customOf(rule.optimizer)?.spec : undefined;
    this.#tell(ranks, { type: 'optimizer', ...set, ...(custom && { custom }) });
  }

  #tell(ranks: readonly Rank[], message: FromCoordinator): void {
    for (const rank of ranks) this.#send(rank, message);
  }
}
