import type { Rank } from '../src/core/protocol.js';
import type { Consistency } from '../src/core/types.js';
import type { Entry, EntryTicket } from './entry.js';
import type { Members } from './members.js';

/**
 * Whose pushes make up the next version of a key, and for whom a push or a pull waits.
 *
 * - `sync`: a push of each live rank.
 * - `async`: any push, by itself.
 * - `ssp`: any push by itself, but nobody gets more than `staleness` pushes ahead of the slowest live
 *   rank: stale synchronous parallel, Ho et al., "More Effective Distributed ML via a Stale
 *   Synchronous Parallel Parameter Server", NIPS 2013, section 2. A rank's clock on a key counts its
 *   pushes there that were applied, or refused by the updater. Push number c ends once every live rank has made its
 *   push number c - staleness (that one has ended, or is next in its lane). A pull behind push number c
 *   waits until every live clock is at c - staleness, so that it sees these pushes of everyone. With
 *   staleness 0 the pushes number c of all end together, in ascending order of ranks: lock-step. Only
 *   a list that the rule updates as a whole (`spansCall`) may come later than higher ranks at a key,
 *   when it still waits for others of its keys.
 */
export class Closing {
  readonly #members: Members;
  readonly #consistency: Consistency;
  readonly #staleness: number;

  constructor(members: Members, consistency: Consistency, staleness: number) {
    this.#members = members;
    this.#consistency = consistency;
    this.#staleness = staleness;
  }

  /**
   * The rounds that can end now, the first one first: the ranks of each, ascending. One that a death
   * has made impossible is among them, see `lostRank`; then it is the first.
   */
  rounds(entry: Entry): readonly (readonly Rank[])[] {
    const pushing = entry.ranksAt('push');
    if (pushing.length === 0) return [];
    switch (this.#consistency) {
      case 'sync':
        return this.#lacks(entry, pushing) ? [] : [pushing];
      case 'async':
        return [pushing.slice(0, 1)];
      case 'ssp': {
        const lost = pushing.find((rank) => this.lostRank(entry, [rank]) !== undefined);
        if (lost !== undefined) return [[lost]];
        const clocks = this.clocksOf(entry);
        const due = pushing.filter((rank) => this.#behind(entry, rank).length === 0);
        return due.toSorted((a, b) => clocks[a]! - clocks[b]!).map((rank) => [rank]);
      }
    }
  }

  /** The ranks of the round with the push of `rank`, if it can end now. */
  roundWith(entry: Entry, rank: Rank): readonly Rank[] | undefined {
    const rounds = this.rounds(entry);
    return this.#consistency === 'ssp' ? rounds.find(([each]) => each === rank) : rounds[0];
  }

  /** A dead rank without which a round cannot end. What it pushed before its death counts. */
  lostRank(entry: Entry, ranks: readonly Rank[]): Rank | undefined {
    const fatal = this.#members.fatal();
    switch (this.#consistency) {
      case 'sync':
        return fatal.find((rank) => !ranks.includes(rank) && entry.pushOf(rank) === undefined);
      case 'async':
        return undefined;
      case 'ssp':
        return fatal.find(
          (rank) => this.#arrived(entry, rank) < this.#needed(entry, ranks[0]!) + 1,
        );
    }
  }

  /** Live ranks that what `ticket` has at the head of a lane waits for, the slowest first. */
  missing(entry: Entry, ticket: EntryTicket): readonly Rank[] {
    const { rank } = ticket;
    const head = entry.headBefore(ticket);
    if (head === undefined) return [];
    switch (this.#consistency) {
      case 'sync': {
        const isMissing = (each: Rank): boolean => entry.pushOf(each) === undefined;
        return head === 'push' ? this.#members.live().filter(isMissing) : [];
      }
      case 'async':
        return [];
      case 'ssp': {
        const clocks = this.clocksOf(entry);
        const late = head === 'push' ? this.#behind(entry, rank) : this.#unseen(entry, rank);
        return late.toSorted((a, b) => clocks[a]! - clocks[b]!);
      }
    }
  }

  /** Whether a pull at the head of the lane of `rank` may be served. */
  maySee(entry: Entry, rank: Rank): boolean {
    return this.#consistency !== 'ssp' || this.#unseen(entry, rank).length === 0;
  }

  /** The pushes of `ranks` were applied, or refused by the updater. */
  ended(entry: Entry, ranks: readonly Rank[]): void {
    if (this.#consistency !== 'ssp') return;
    const clocks = this.clocksOf(entry);
    for (const rank of ranks) clocks[rank]! += 1;
  }

  /** A new rank starts where the slowest live one is. */
  joined(rank: Rank, entries: Iterable<Entry>): void {
    if (this.#consistency !== 'ssp') return;
    const others = this.#members.live().filter((other) => other !== rank);
    for (const entry of entries) {
      const clocks = this.clocksOf(entry);
      if (others.length > 0) clocks[rank] = Math.min(...others.map((other) => clocks[other]!));
    }
  }

  /** By rank: how many of its pushes have ended. Only in a store of `ssp`. */
  clocksOf(entry: Entry): Float64Array {
    const { size } = this.#members;
    if (entry.clocks.length < size) {
      // Shared memory, which does not move: the engine counts there too.
      const clocks = new Float64Array(new SharedArrayBuffer(size * 8));
      clocks.set(entry.clocks);
      entry.clocks = clocks;
    }
    return entry.clocks;
  }

  /** Whether a live rank has not pushed, and nobody's death ends the wait for it. */
  #lacks(entry: Entry, pushing: readonly Rank[]): boolean {
    if (this.lostRank(entry, pushing) !== undefined) return false;
    return this.#members.live().some((rank) => entry.pushOf(rank) === undefined);
  }

  /** Live ranks that are too far behind for the push at the head of the lane of `rank`. */
  #behind(entry: Entry, rank: Rank): Rank[] {
    const needed = this.#needed(entry, rank) + 1;
    return this.#members.live().filter((each) => this.#arrived(entry, each) < needed);
  }

  /** Live ranks that are too far behind for a pull of `rank`. */
  #unseen(entry: Entry, rank: Rank): Rank[] {
    const clocks = this.clocksOf(entry);
    const needed = this.#needed(entry, rank);
    return this.#members.live().filter((each) => clocks[each]! < needed);
  }

  /** The clock that others must have for `rank` to be where it is. */
  #needed(entry: Entry, rank: Rank): number {
    return this.clocksOf(entry)[rank]! - this.#staleness;
  }

  #arrived(entry: Entry, rank: Rank): number {
    return this.clocksOf(entry)[rank]! + (entry.pushOf(rank) === undefined ? 0 : 1);
  }
}
