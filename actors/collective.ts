import type { Failure, KVStoreError } from '../src/core/errors.js';
import type { Key } from '../src/core/keys.js';
import type { Rank } from '../src/core/protocol.js';
import type { EntryTicket } from './entry.js';
import type { Members } from './members.js';

/** Why the requests of a device wait before they start. */
interface Hold {
  readonly ticket: EntryTicket;
  readonly until: 'keys' | 'setting' | 'loaded' | 'barrier';
  /** What the device sent after it, in order. */
  readonly behind: EntryTicket[];
}

/**
 * Calls in which devices wait for each other: an `init` for rank 0's, a setting for rank 0's, a
 * barrier for everyone. A device that waits here is held: what it sends next stays behind, in order.
 */
export class Collective {
  readonly #members: Members;
  readonly #run: (ticket: EntryTicket) => void;
  readonly #holds = new Map<Rank, Hold>();
  #release: ((ticket: EntryTicket) => void) | undefined;
  /** What became of each setting of rank 0, in order. */
  readonly #settings: { readonly failure: Failure | undefined }[] = [];
  /** How many settings each other device has asked for, and which of them a ticket is. */
  readonly #followed = new Map<Rank, number>();
  readonly #nth = new WeakMap<EntryTicket, number>();

  constructor(members: Members, run: (ticket: EntryTicket) => void) {
    this.#members = members;
    this.#run = run;
  }

  /** Runs a request now, or keeps it behind what its device waits for. */
  admit(ticket: EntryTicket): void {
    const hold = this.#holds.get(ticket.rank);
    if (hold) hold.behind.push(ticket);
    else this.#run(ticket);
  }

  /** Holds the device of `ticket` until rank 0 has added keys; then the request runs again. */
  holdForKeys(ticket: EntryTicket): void {
    this.#hold(ticket, 'keys');
    this.#assertLeader(ticket);
  }

  /** Holds the device of `ticket` until its own setting is in force. */
  hold(ticket: EntryTicket): void {
    this.#hold(ticket, 'loaded');
  }

  /** The outcome of rank 0's setting that `ticket` follows, or `held` until there is one. */
  follow(ticket: EntryTicket): { readonly failure: Failure | undefined } | 'held' {
    const nth = this.#nth.get(ticket) ?? this.#followed.get(ticket.rank) ?? 0;
    if (!this.#nth.has(ticket)) this.#followed.set(ticket.rank, nth + 1);
    this.#nth.set(ticket, nth);
    const outcome = this.#settings[nth];
    if (outcome === undefined) {
      this.#hold(ticket, 'setting');
      this.#assertLeader(ticket);
      return 'held';
    }
    return outcome;
  }

  /** The inits that wait for a key which rank 0's `ticket` has failed to add. */
  waitingForKeys(ticket: EntryTicket): EntryTicket[] {
    const failed = new Set(keysOf(ticket));
    return [...this.#holds.values()]
      .filter(
        ({ until, ticket: held }) =>
          until === 'keys' && keysOf(held).some((key) => failed.has(key)),
      )
      .map((hold) => hold.ticket);
  }

  /** Rank 0 has added keys: inits that waited try again. */
  keysAdded(): void {
    this.#retry('keys');
  }

  /** A setting of rank 0 has ended: rank 0 goes on, and so do those that waited for it. */
  configured(ticket: EntryTicket, failure: Failure | undefined): void {
    this.#settings.push({ failure });
    this.#followed.set(0, this.#settings.length);
    this.withdraw(ticket);
    this.#retry('setting');
  }

  /** `ticket` is at the barrier; once every live device is, `release` gets each of them. */
  arrive(ticket: EntryTicket, release: (ticket: EntryTicket) => void): void {
    const lost = this.#members.fatal()[0];
    if (lost !== undefined) throw this.#members.departed(lost, 'barrier');
    this.#hold(ticket, 'barrier');
    this.#release = release;
    this.#openBarrier();
  }

  /** Live devices that `ticket` waits for. */
  missing(ticket: EntryTicket): Rank[] {
    const hold = this.#holds.get(ticket.rank);
    if (hold?.ticket !== ticket || hold.until === 'loaded') return [];
    if (hold.until !== 'barrier') return [0];
    return this.#members.live().filter((rank) => !this.#isAtBarrier(rank));
  }

  /** Forgets a request that was answered. What stood behind it goes on. */
  withdraw(ticket: EntryTicket): void {
    const hold = this.#holds.get(ticket.rank);
    if (hold?.ticket === ticket) return this.#unhold(ticket.rank, hold.behind);
    const index = hold?.behind.indexOf(ticket) ?? -1;
    if (index >= 0) hold!.behind.splice(index, 1);
  }

  /** A device is back, and starts anew: its settings count from the first again. */
  returned(rank: Rank): void {
    this.#followed.delete(rank);
  }

  /**
   * What became of the setting of an earlier incarnation of rank 0 that its next one repeats;
   * undefined if that is to be made. `isLast`: none came after it.
   */
  repeated(): { readonly failure: Failure | undefined; readonly isLast: boolean } | undefined {
    const nth = this.#followed.get(0) ?? 0;
    const outcome = this.#settings[nth];
    if (outcome === undefined) return undefined;
    this.#followed.set(0, nth + 1);
    return { ...outcome, isLast: nth === this.#settings.length - 1 };
  }

  /** A device is gone: the requests of it that never started, which nobody will answer. */
  departed(rank: Rank): EntryTicket[] {
    const hold = this.#holds.get(rank);
    this.#holds.delete(rank);
    return hold ? [hold.ticket, ...hold.behind] : [];
  }

  /** After a device is gone: fails what can no longer happen, lets go what now can. */
  review(fail: (ticket: EntryTicket, error: KVStoreError) => void): void {
    const lost = this.#members.fatal()[0];
    for (const { ticket, until } of [...this.#holds.values()]) {
      if (until !== 'barrier') {
        if (!this.#members.isAwaited(0)) fail(ticket, this.#leaderGone(ticket));
      } else if (lost !== undefined) {
        fail(ticket, this.#members.departed(lost, 'barrier'));
      }
    }
    this.#openBarrier();
  }

  #hold(ticket: EntryTicket, until: Hold['until']): void {
    this.#holds.set(ticket.rank, { ticket, until, behind: [] });
  }

  #assertLeader(ticket: EntryTicket): void {
    if (!this.#members.isAwaited(0)) throw this.#leaderGone(ticket);
  }

  #leaderGone({ request, rank }: EntryTicket): KVStoreError {
    return this.#members.departed(0, `${request.type} of rank ${rank}`);
  }

  #retry(until: Hold['until']): void {
    for (const [rank, hold] of [...this.#holds]) {
      if (hold.until !== until || this.#holds.get(rank) !== hold) continue;
      this.#unhold(rank, [hold.ticket, ...hold.behind]);
    }
  }

  /** Ends a hold and admits `tickets`, which may lead to a new hold for the rest of them. */
  #unhold(rank: Rank, tickets: readonly EntryTicket[]): void {
    this.#holds.delete(rank);
    for (const ticket of tickets) this.admit(ticket);
  }

  #openBarrier(): void {
    const live = this.#members.live();
    if (!live.every((rank) => this.#isAtBarrier(rank))) return;
    const arrived = live.map((rank) => this.#holds.get(rank)!);
    this.#holds.clear(); // All of them, before what stands behind can come to the next barrier.
    for (const { ticket } of arrived) this.#release?.(ticket);
    for (const { ticket, behind } of arrived) this.#unhold(ticket.rank, behind);
  }

  #isAtBarrier(rank: Rank): boolean {
    return this.#holds.get(rank)?.until === 'barrier';
  }
}

/** The keys that an `init` or `broadcast` is about. */
function keysOf({ request }: EntryTicket): Key[] {
  return 'values' in request ? request.values.map(({ key }) => key) : [];
}
