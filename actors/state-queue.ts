import type { EntryTicket } from './entry.js';
import type { OpenTickets } from './open-tickets.js';

/** Saves and loads that wait until the calls which their device made before have ended. */
export class StateQueue {
  readonly #open: OpenTickets;
  readonly #waiting = new Set<EntryTicket>();

  constructor(open: OpenTickets) {
    this.#open = open;
  }

  add(ticket: EntryTicket): void {
    this.#waiting.add(ticket);
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Those whose turn it is: they wait no more. `mayLoad`: no updater is at work on a key. */
  takeDue(mayLoad: boolean): EntryTicket[] {
    if (this.#waiting.size === 0) return [];
    const due = [...this.#waiting].filter(
      ({ rank, request }) =>
        (mayLoad || request.type !== 'load') && !this.#open.hasBefore(rank, request),
    );
    for (const ticket of due) this.#waiting.delete(ticket);
    return due;
  }
}
