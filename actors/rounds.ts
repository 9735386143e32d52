import { showKey, toFailure, type Failure } from '../src/core/errors.js';
import type { Rank, Updated, WireTensor } from '../src/core/protocol.js';
import type { TensorHandle } from '../src/core/tensor.js';
import { spansCall } from './call-scale.js';
import {
  factorOf,
  failureOf,
  pushesOf,
  shared,
  type ClosableRound,
  type ReadyRound,
} from './closable-rounds.js';
import type { RoundValues } from './round-values.js';
import type { Entry, EntryTicket } from './entry.js';
import { pushedValues } from './pushed-values.js';
import { ReadyQueue } from './ready-queue.js';
import type { RoundsContext } from './rounds-context.js';
import type { Rule } from './rule.js';

/** Updates that devices may be making at once; bounds the scratch memory. */
const maxPendingUpdates = 64;

/** One group of a request with the entry of its key. */
export interface EntryGroup<Wire extends WireTensor = WireTensor> {
  readonly entry: Entry;
  readonly tensors: readonly Wire[];
  /** Its place among the groups of the request, where some have ended already. */
  readonly index?: number;
}

/**
 * Runs the rounds of keys, once `Closing` says that they can end, and serves the pulls behind them.
 * The sum of a round takes the ranks in ascending order, whoever came first, so the bits depend on
 * nothing else.
 */
export class Rounds {
  readonly #context: RoundsContext;
  /** Entries that may be able to go on. */
  readonly #ready = new ReadyQueue<Entry>();
  /** Entries whose round waits for a place among the pending updates. */
  readonly #starved = new ReadyQueue<Entry>();
  readonly #pending = new Map<number, Entry>();
  /** Devices that died and are to come back, until they have set their updater function again. */
  readonly #mute = new Set<Rank>();
  #lastUpdate = 0;

  constructor(context: RoundsContext) {
    this.#context = context;
  }

  /** Queues the parts of a request behind those that its device issued before. */
  submit(
    ticket: EntryTicket,
    push: readonly EntryGroup[],
    pull: readonly EntryGroup<TensorHandle>[],
  ): void {
    for (const { entry, tensors } of push) {
      ticket.addPush(entry);
      entry.enqueue({ kind: 'push', ticket, ...pushedValues(tensors, this.#context.updates) });
    }
    pull.forEach(({ entry, tensors, index }, position) => {
      const freshIndex = index ?? position;
      ticket.addPull(entry);
      const { request } = ticket;
      const average = request.type === 'pull' && request.average === true;
      const rows = request.type === 'pullRows' ? { rowIds: request.rowIds } : {};
      entry.enqueue({ kind: 'pull', ticket, outs: tensors, freshIndex, average, ...rows });
    });
    if (ticket.isSettled) this.#settle(ticket);
    for (const entry of ticket.entries) this.#ready.add(entry);
  }

  /** Goes on with whatever is ready, by priority, and with all that follows from it. */
  resume(): void {
    for (let entry = this.#ready.first; entry !== undefined; entry = this.#ready.first) {
      this.#ready.delete(entry);
      this.#advance(entry);
      const starved = this.#starved.first;
      if (starved && this.#pending.size < maxPendingUpdates) this.#ready.add(starved);
    }
  }

  /** As `resume`, and sends what that has kept back for CUDA devices. */
  finish(): void {
    this.resume();
    for (const ticket of this.#context.work.send()) this.#context.settle(ticket);
  }

  /** A device has run its updater function. An answer to an update given up is ignored. */
  updated(rank: Rank, { update, failure }: Updated): void {
    const entry = this.#pending.get(update);
    if (entry?.pending?.id !== update || entry.pending.runner !== rank) return;
    const { open, ranks, values } = entry.pending;
    const { updates, work } = this.#context;
    work.begin(entry);
    const failed = work.end(entry, ranks, updates.finish(entry, open, failure));
    values.end(failed === undefined);
    this.#endPending(entry);
    this.#endRound(entry, ranks, failed);
    this.#ready.add(entry);
  }

  /** Takes back what is left of a request. Its rounds go on without it, but one being updated fails. */
  withdraw(ticket: EntryTicket, failure: Failure): void {
    for (const entry of ticket.entries) {
      const { pending } = entry;
      if (pending?.ranks.includes(ticket.rank) && entry.head(ticket.rank)?.ticket === ticket) {
        this.#abandon(entry, shared(failure, ticket.rank, entry));
      }
      entry.drop((part) => part.ticket === ticket);
      this.#ready.add(entry);
    }
    this.resume();
  }

  /**
   * A device is gone, and is to come back. Rounds that are being updated by it, or with a push of it,
   * are open again: the pushes of others stay.
   */
  reopen(rank: Rank, entries: Iterable<Entry>): void {
    this.#mute.add(rank);
    for (const entry of entries) {
      const { pending } = entry;
      if (pending?.runner !== rank && pending?.ranks.includes(rank) !== true) continue;
      this.#context.updates.abandon(entry, pending.open);
      pending.values.end(false);
      this.#endPending(entry);
    }
  }

  /** Updates need no function of an earlier incarnation of `rank` any more. */
  functionSet(rank: Rank, entries: Iterable<Entry>): void {
    if (!this.#mute.delete(rank)) return;
    for (const entry of entries) this.#ready.add(entry);
  }

  /** A device is gone: drops its pulls and ends the updates that it was running. */
  departed(rank: Rank, entries: Iterable<Entry>): void {
    if (!this.#context.members.isAwaited(rank)) this.#mute.delete(rank);
    for (const entry of [...entries]) {
      if (entry.pending?.runner === rank) {
        const what = `the updater function of ${showKey(entry.key)}`;
        this.#abandon(entry, toFailure(this.#context.members.departed(rank, what, entry.key)));
      }
      entry.drop((part) => part.kind === 'pull' && part.ticket.rank === rank);
      this.#ready.add(entry);
    }
    this.resume();
  }

  /** Whether a device's updater is at work on a key. */
  get isUpdating(): boolean {
    return this.#pending.size > 0;
  }

  #advance(entry: Entry): void {
    this.#servePulls(entry);
    if (entry.pending) return;
    const rounds = this.#context.closing.rounds(entry);
    if (rounds.length === 0) return this.#starved.delete(entry);
    for (const ranks of rounds) {
      const lost = this.#context.closing.lostRank(entry, ranks);
      if (lost !== undefined) {
        const what = `round ${entry.version} of ${showKey(entry.key)}`;
        const error = this.#context.members.departed(lost, what, entry.key);
        this.#endRound(entry, ranks, toFailure(error), 'given up');
      } else if (spansCall(entry.pushOf(ranks[0]!)!.rule)) {
        if (this.#closeCall(entry, ranks)) return;
        continue;
      } else if (!this.#close(entry, ranks)) {
        return;
      }
      return this.#ready.add(entry); // Again, but not at once: first what is more urgent.
    }
  }

  /**
   * Runs the rounds of all keys of a call together, those that have not failed, if each of them can
   * close. The call is that of the round's lowest rank.
   */
  #closeCall(entry: Entry, ranks: readonly Rank[]): boolean {
    const { ticket, rule } = entry.pushOf(ranks[0]!)!;
    const { closing } = this.#context;
    const rounds: ClosableRound[] = [];
    for (const each of ticket.pushes) {
      const theirs = each === entry ? ranks : closing.roundWith(each, ticket.rank);
      if (theirs === undefined || each.pending) return false;
      if (each.pushOf(theirs[0]!)!.ticket !== ticket) return false;
      if (closing.lostRank(each, theirs) !== undefined) return false; // It fails first, and is left out.
      rounds.push({ entry: each, ranks: theirs });
    }
    const { updates, work } = this.#context;
    const ready = rounds.flatMap((round) => this.#valuesOf(round));
    // A device that refused what makes one key's values may have had work for those of others.
    const whole = ready.filter((round) => work.refusalOf(round.entry) === undefined);
    const { factor, failure: refused } = factorOf(updates, rule, whole);
    for (const { entry: of, ranks: theirs, values } of ready) {
      let failure = work.refusalOf(of) ?? refused;
      try {
        if (failure === undefined && factor !== undefined) updates.apply(rule, of, values, factor);
      } catch (error) {
        failure = failureOf(error, of);
      }
      failure = work.end(of, theirs, failure);
      values.end(failure === undefined && factor !== undefined);
      const isSkipped = factor === undefined && failure === undefined;
      this.#endRound(of, theirs, failure, isSkipped ? 'skipped' : 'run');
      this.#ready.add(of);
    }
    return true;
  }

  /** A round of a call with its values; one whose values cannot be had ends with the failure. */
  #valuesOf({ entry, ranks }: ClosableRound): ReadyRound[] {
    const { updates, work } = this.#context;
    work.begin(entry);
    try {
      const values = updates.valuesOf(entry, pushesOf(entry, ranks));
      return [{ entry, ranks, values, inputs: values.inputs }];
    } catch (error) {
      this.#endRound(entry, ranks, work.end(entry, ranks, failureOf(error, entry)));
      return [];
    }
  }

  /** Runs a round. Returns false when a device's updater has to answer first. */
  #close(entry: Entry, ranks: readonly Rank[]): boolean {
    const { updates, work } = this.#context;
    const { rule } = entry.pushOf(ranks[0]!)!;
    if (rule.kind === 'caller' && this.#mute.has(rule.rank)) return false;
    if (rule.kind === 'caller' && this.#pending.size >= maxPendingUpdates) {
      this.#starved.add(entry);
      return false;
    }
    let failure: Failure | undefined;
    let values: RoundValues | undefined;
    work.begin(entry);
    try {
      values = updates.valuesOf(entry, pushesOf(entry, ranks));
      if (rule.kind === 'caller') return this.#startUpdate(entry, ranks, values, rule);
      updates.apply(rule, entry, values);
    } catch (error) {
      failure = failureOf(error, entry);
    }
    failure = work.end(entry, ranks, failure);
    values?.end(failure === undefined);
    this.#endRound(entry, ranks, failure);
    return true;
  }

  #startUpdate(
    entry: Entry,
    ranks: readonly Rank[],
    values: RoundValues,
    rule: Rule & { readonly kind: 'caller' },
  ): boolean {
    const { rank: runner, handle } = rule;
    const { members, send, updates } = this.#context;
    if (!members.isLive(runner)) {
      const what = `the updater function of ${showKey(entry.key)}`;
      throw members.departed(runner, what, entry.key);
    }
    const open = updates.start(rule, entry, values);
    this.#starved.delete(entry);
    const id = ++this.#lastUpdate;
    entry.pending = { id, runner, ranks, open, values };
    this.#pending.set(id, entry);
    send(runner, {
      type: 'update',
      update: id,
      handle,
      key: entry.key,
      input: entry.handleOn(open.input, open.shape),
      stored: entry.handleOn(open.scratch, open.shape),
    });
    this.#context.work.forget(entry); // Nothing has changed yet.
    return false;
  }

  /** Answers those of a round. */
  #endRound(
    entry: Entry,
    ranks: readonly Rank[],
    failure: Failure | undefined,
    how: RoundEnd = 'run',
  ): void {
    this.#starved.delete(entry);
    if (how !== 'given up') this.#context.closing.ended(entry, ranks);
    if (failure === undefined && how === 'run') {
      entry.version += 1;
      this.#context.applied();
    }
    for (const rank of ranks) {
      const { ticket } = entry.pushOf(rank)!;
      entry.pop(rank);
      ticket.endPush(entry, failure);
      // Keys of the call that wait for each other go on without this one.
      if (failure !== undefined) for (const each of ticket.pushes) this.#ready.add(each);
      if (ticket.isSettled) this.#settle(ticket);
      else if (ticket.mayPull) this.#endPushes(ticket);
    }
  }

  #settle(ticket: EntryTicket): void {
    if (!this.#context.work.holds(ticket)) this.#context.settle(ticket);
  }

  /** Serves the pulls behind the pushes of a call, in the order of its keys. */
  #endPushes(ticket: EntryTicket): void {
    for (const entry of ticket.entries) {
      this.#serveLane(entry, ticket.rank);
      this.#ready.add(entry);
    }
  }

  #abandon(entry: Entry, failure: Failure): void {
    const { ranks, open, values } = entry.pending!;
    this.#context.updates.abandon(entry, open);
    values.end(false);
    this.#endPending(entry);
    this.#endRound(entry, ranks, failure, 'given up');
  }

  #endPending(entry: Entry): void {
    this.#pending.delete(entry.pending!.id);
    entry.pending = undefined;
  }

  #servePulls(entry: Entry): void {
    for (const rank of entry.ranksAt('pull')) this.#serveLane(entry, rank);
  }

  #serveLane(entry: Entry, rank: Rank): void {
    for (let head = entry.head(rank); head?.kind === 'pull'; head = entry.head(rank)) {
      if (!head.ticket.mayPull || !this.#context.closing.maySee(entry, rank)) return;
      entry.pop(rank);
      head.ticket.endPull(this.#context.pulls.serve(entry, head));
      this.#context.work.pulled(entry, head);
      if (head.ticket.isSettled) this.#settle(head.ticket);
    }
  }
}

/** What became of a round: one that was skipped has ended well, without a new version. */
type RoundEnd = 'run' | 'skipped' | 'given up';
