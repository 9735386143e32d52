import type { Rank, Request } from '../src/core/protocol.js';
import type { EntryTicket } from './entry.js';

/** Requests that are not answered, the one that waits longest first. */
export class OpenTickets {
  readonly #tickets = new Set<EntryTicket>();
  /** The number of the newest request of each device that came by message. */
  readonly #newest = new Map<Rank, number>();

  /** Whether this request, or a later one, has come before; notes it if not. */
  isRepeated(rank: Rank, { id }: Request): boolean {
    if (id <= (this.#newest.get(rank) ?? -Infinity)) return true;
    this.#newest.set(rank, id);
    return false;
  }

  /** Device `rank` starts anew, and counts its requests from the first again. */
  returned(rank: Rank): void {
    this.#newest.delete(rank);
  }

  [Symbol.iterator](): Iterator<EntryTicket> {
    return this.#tickets.values();
  }

  has(ticket: EntryTicket): boolean {
    return this.#tickets.has(ticket);
  }

  add(ticket: EntryTicket): void {
    this.#tickets.add(ticket);
  }

  /** Adds tickets that may be older than some that are open, or whose deadline has changed. */
  addOld(tickets: readonly EntryTicket[]): void {
    if (tickets.length === 0) return;
    const all = [...new Set([...this.#tickets, ...tickets])];
    all.sort((a, b) => a.deadlineMs - b.deadlineMs);
    this.#tickets.clear();
    for (const ticket of all) this.#tickets.add(ticket);
  }

  /** Whether it was open. */
  delete(ticket: EntryTicket): boolean {
    return this.#tickets.delete(ticket);
  }

  /** When the oldest gives up; undefined while there is none. */
  get oldestDeadlineMs(): number | undefined {
    const [oldest] = this.#tickets;
    return oldest?.deadlineMs;
  }

  /** Those whose deadline has passed at `nowMs`. */
  late(nowMs: number): EntryTicket[] {
    return [...this.#tickets].filter(({ deadlineMs }) => deadlineMs <= nowMs);
  }

  of(rank: Rank): EntryTicket[] {
    return [...this.#tickets].filter((ticket) => ticket.rank === rank);
  }

  /** Whether device `rank` has an open request that it made before `request`. */
  hasBefore(rank: Rank, { id }: Request): boolean {
    return [...this.#tickets].some((each) => each.rank === rank && each.request.id < id);
  }
}
