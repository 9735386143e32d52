import type { Request, WireGroup } from '../src/core/protocol.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Collective } from './collective.js';
import type { Entry, EntryTicket } from './entry.js';
import type { KeyTable } from './key-table.js';
import type { EntryGroup } from './rounds.js';

/** What inits need of the coordinator around them. */
export interface InitsContext {
  readonly keys: KeyTable;
  readonly collective: Collective;
  /** Hears of keys that the store did not have. */
  added(entries: readonly Entry[]): void;
  /** Ends a request with these pulls, none at all too. */
  pull(ticket: EntryTicket, groups: readonly EntryGroup<TensorHandle>[]): void;
}

type InitRequest = Request & { readonly type: 'init' | 'broadcast' };

/** Rank 0's values make the keys; the others wait for them and check that theirs are alike. */
export class Inits {
  readonly #context: InitsContext;

  constructor(context: InitsContext) {
    this.#context = context;
  }

  /** Carries out an `init` or `broadcast`, or holds it until rank 0 has made its keys. */
  run(ticket: EntryTicket, request: InitRequest): void {
    const { keys, collective } = this.#context;
    const isMade = ticket.rank === 0 ? this.#make(request) : this.#join(ticket, request);
    if (!isMade) return collective.holdForKeys(ticket);
    this.#context.pull(ticket, request.type === 'broadcast' ? keys.pullGroups(request.pull) : []);
    if (ticket.rank === 0) collective.keysAdded();
  }

  #make(request: InitRequest): boolean {
    const { keys, added } = this.#context;
    if (request.type === 'broadcast') keys.checkOuts(request.values, request.pull);
    // What an earlier incarnation of rank 0 has made stays as it is.
    const isThere = ({ key }: WireGroup): boolean =>
      keys.has(key) && !keys.find(key).initialised.has(0);
    const there = request.values.filter(isThere);
    keys.assertNotInitialised(
      there.map(({ key }) => key),
      0,
    );
    keys.alike(there);
    added(keys.create(request.values.filter((each) => !there.includes(each))));
    keys.join(there, 0);
    return true;
  }

  /** False while keys are missing. */
  #join({ rank }: EntryTicket, request: InitRequest): boolean {
    const { keys } = this.#context;
    const names = request.values.map(({ key }: WireGroup) => key);
    keys.assertNotInitialised(names, rank);
    if (!names.every((key) => keys.has(key))) return false;
    if (request.type === 'broadcast') keys.pullGroups(request.pull); // Throws as it must.
    keys.join(request.values, rank);
    return true;
  }
}
