import { fromFailure, KVStoreError, toFailure, type Failure } from '../src/core/errors.js';
import { MemoryBudget } from '../src/core/memory.js';
import type { CoordinatorOptions, Rank, Request, ToCoordinator } from '../src/core/protocol.js';
import type { Actor } from './actor.js';
import { Announcements } from './announcements.js';
import { Closing } from './closing.js';
import { Collective } from './collective.js';
import { Configuring, isSetting } from './configuring.js';
import type { CoordinatorHost } from './coordinator-needs.js';
import { Deadlines } from './deadlines.js';
import { DeviceWork } from './device-work.js';
import { EngineLease } from './engine-lease.js';
import type { Entry, EntryTicket } from './entry.js';
import { Inits, type InitsContext } from './inits.js';
import { KeyTable } from './key-table.js';
import { Members } from './members.js';
import { OpenTickets } from './open-tickets.js';
import { Pins } from './pins.js';
import { Pulls } from './pulls.js';
import { Rounds } from './rounds.js';
import { Settings } from './settings.js';
import { StatusBlock } from './status.js';
import { StateQueue } from './state-queue.js';
import { StateCalls, type StateRequest } from './state-calls.js';
import { Ticket, type CallRequest } from './ticket.js';
import { UpdateRule } from './update-rule.js';

/**
 * Owns every stored tensor and makes the pushes of each key one sequence. This is the reference: the
 * specification of the store, and its implementation where no faster one is in place. It knows
 * nothing of threads; each message is handled to its end before the next.
 */
export class Coordinator implements Actor<ToCoordinator> {
  readonly #host: CoordinatorHost;
  readonly #members: Members;
  readonly #announce: Announcements;
  readonly #updates: UpdateRule;
  readonly #keys: KeyTable;
  readonly #settings: Settings;
  readonly #closing: Closing;
  readonly #rounds: Rounds;
  /** What waits for other devices before it starts: inits, settings, barriers. */
  readonly #collective: Collective;
  readonly #inits: Inits;
  readonly #configuring: Configuring;
  readonly #state: StateCalls;
  readonly #open = new OpenTickets();
  readonly #stateQueue = new StateQueue(this.#open);
  readonly #deadlines: Deadlines;
  readonly #status: StatusBlock;
  readonly #budget: MemoryBudget;
  readonly #pins: Pins;
  readonly #lease: EngineLease | undefined;
  #isReceiving = false;

  constructor(options: CoordinatorOptions, host: CoordinatorHost) {
    this.#host = host;
    this.#status = new StatusBlock(options.status);
    this.#members = new Members(options.workers, options.onDeath);
    this.#announce = new Announcements(this.#members, host.send.bind(host));
    this.#budget = new MemoryBudget(options.memoryLimit, 'the store');
    this.#pins = new Pins(this.#budget);
    const ruleChanged = (): void => this.#announce.rule(this.#updates.rule);
    const context = { budget: this.#budget, pins: this.#pins, changed: ruleChanged };
    this.#updates = new UpdateRule(host.kernels, context, options);
    this.#settings = new Settings({
      host,
      hold: (ticket) => this.#collective.hold(ticket),
      resume: (ticket, failure, goOn) => this.#resume(ticket, failure, goOn),
    });
    this.#keys = new KeyTable(this.#budget, host.kernels, options.onDevices);
    this.#closing = new Closing(this.#members, options.consistency, options.staleness ?? 0);
    this.#rounds = new Rounds({
      members: this.#members,
      closing: this.#closing,
      updates: this.#updates,
      pulls: new Pulls(host.kernels, this.#updates, this.#pins),
      work: new DeviceWork(host.kernels),
      send: host.send.bind(host),
      settle: (ticket) => this.#answer(ticket, ticket.failure),
      applied: () => this.#status.addUpdate(),
    });
    this.#state = new StateCalls({
      keys: this.#keys,
      updates: this.#updates,
      budget: this.#budget,
      pins: this.#pins,
      files: host.files,
      optimizers: this.#settings.optimizers,
      keysAdded: (entries) => this.#announce.keys(entries),
      ruleChanged,
    });
    this.#collective = new Collective(this.#members, (ticket) => this.#run(ticket));
    this.#inits = this.#newInits();
    this.#configuring = new Configuring({
      keys: this.#keys,
      updates: this.#updates,
      settings: this.#settings,
      collective: this.#collective,
      ruleChanged,
      functionSet: (rank) => this.#rounds.functionSet(rank, this.#keys.entries()),
      answer: (ticket, failure) => this.#answer(ticket, failure),
    });
    this.#lease = EngineLease.on(host, {
      keys: this.#keys,
      updates: this.#updates,
      members: this.#members,
      pins: this.#pins,
      closing: this.#closing,
      consistency: options.consistency,
    });
    const needs = { host, open: this.#open, closing: this.#closing, collective: this.#collective };
    this.#deadlines = new Deadlines(needs, options);
    this.#goOn();
  }

  #newInits(): Inits {
    const added = (entries: readonly Entry[]): void => {
      this.#lease?.touch(entries);
      this.#announce.keys(entries);
    };
    const pull: InitsContext['pull'] = (ticket, groups) => this.#submit(ticket, [], groups);
    return new Inits({ keys: this.#keys, collective: this.#collective, added, pull });
  }

  receive(from: Rank, batch: readonly ToCoordinator[]): void {
    this.#takeBack();
    // Without priorities everything goes on at once; with them all of the batch must be known first.
    const gathers = batch.some((message) => 'priority' in message);
    this.#isReceiving = true;
    for (const message of batch) {
      this.#handle(from, message);
      if (!gathers) this.#rounds.resume();
    }
    this.#isReceiving = false;
    this.#goOn();
  }

  #handle(from: Rank, message: ToCoordinator): void {
    if (message.type === 'overdue') return; // Taken back from the engine by now, and watched.
    if (message.type === 'heard') return this.#announce.heard(from);
    if (message.type === 'updated') return this.#rounds.updated(from, message);
    if (message.type === 'release') return this.#pins.release(from, message.pins);
    if (message.type === 'leave') return this.#leave(from, message);
    if (!this.#members.isLive(from)) {
      // Sent before its end and delivered after: the rounds have gone on without it.
      const late = this.#members.departed(from, message.type);
      this.#host.send(from, { type: 'failed', id: message.id, failure: toFailure(late) });
    } else if (!this.#open.isRepeated(from, message)) {
      const ticket = new Ticket<Entry>(from, message);
      this.#open.add(ticket);
      this.#collective.admit(ticket);
    }
  }

  /** When the request that waits longest gives up; undefined while none waits. */
  get oldestDeadlineMs(): number | undefined {
    return this.#open.oldestDeadlineMs;
  }

  /**
   * Ends what has waited past its deadline, unless it waits for a device that has stalled. `nowMs` is on
   * the monotonic clock; `hasSlept`: this should have been called much earlier.
   */
  tick(nowMs: number, hasSlept = false): void {
    this.#takeBack();
    // All before any is taken back: who gives up in this moment is not who the others waited for.
    for (const each of this.#deadlines.expired(nowMs, hasSlept)) this.#fail(...each);
    this.#goOn();
  }

  /** Device `rank` takes part from now on, if it did not already: rounds that are open need it. */
  join(rank: Rank): void {
    this.#takeBack();
    const how = this.#members.join(rank);
    if (how !== undefined) {
      const entries = this.#keys.entries();
      this.#lease?.grow(this.#members.size);
      if (how === 'new') this.#closing.joined(rank, entries);
      const counting = [this.#keys, this.#collective, this.#open, this.#deadlines];
      for (const each of counting) each.returned(rank);
      this.#announce.welcome(rank, entries);
    }
    this.#goOn();
  }

  /**
   * Device `rank` is gone: dead of `cause`, or in good order without one. If it `returns`, all wait
   * for its next incarnation, and what this one had not got an answer to is taken back.
   */
  depart(rank: Rank, cause: string | undefined, returns = false): void {
    this.#takeBack();
    if (!this.#members.depart(rank, cause, returns)) return this.#goOn();
    for (const ticket of this.#collective.departed(rank)) this.#open.delete(ticket);
    if (returns) {
      this.#rounds.reopen(rank, this.#keys.entries());
      for (const each of this.#open.of(rank)) this.#fail(each, this.#members.departed(rank, 'it'));
    }
    this.#rounds.departed(rank, this.#keys.entries());
    this.#pins.departed(rank); // Until here its views may have been served.
    this.#collective.review((ticket, error) => this.#fail(ticket, error));
    this.#goOn();
  }

  /** Ends a wait for modules: goes on with the request, or fails it. */
  #resume(ticket: EntryTicket, failure: Failure | undefined, goOn: () => void): void {
    if (!this.#open.has(ticket)) return;
    this.#takeBack();
    try {
      if (failure !== undefined) throw fromFailure(failure);
      goOn();
    } catch (error) {
      this.#fail(ticket, error);
    }
    this.#goOn();
  }

  /** Takes back what `rank` still waits for, and lets it go. */
  #leave(rank: Rank, { id }: Request): void {
    this.#rounds.finish(); // What it sent before is not taken back.
    const error = new KVStoreError('closed', `rank ${rank} closed its store first`, { rank });
    this.#collective.departed(rank); // What it sent after a call that waits never starts.
    for (const ticket of this.#open.of(rank)) this.#fail(ticket, error);
    this.depart(rank, undefined);
    this.#host.send(rank, { type: 'done', id });
  }

  /** Carries out a request whose turn has come. Bad ones are answered and change nothing. */
  #run(ticket: EntryTicket): void {
    const { request } = ticket;
    try {
      this.#dispatch(ticket, request);
    } catch (error) {
      this.#fail(ticket, error);
    }
  }

  #dispatch(ticket: EntryTicket, request: CallRequest): void {
    switch (request.type) {
      case 'init':
      case 'broadcast':
        return this.#inits.run(ticket, request);
      case 'push':
        return this.#submit(ticket, this.#pushGroups(request.push), []);
      case 'pullRows':
        return this.#submit(ticket, [], [this.#keys.rowGroup(request)]);
      case 'pull':
        return this.#submit(ticket, [], this.#keys.pullGroups(request.pull, request.view));
      case 'pushpull': {
        const pull = this.#keys.pullGroups(request.pull);
        return this.#submit(ticket, this.#pushGroups(request.push), pull);
      }
      case 'setUpdater':
      case 'setOptimizer':
      case 'setCompression':
        this.#rounds.finish(); // So that keys which nothing waits for are idle.
        return this.#configuring.run(ticket, request);
      case 'setHyper':
        this.#updates.change(request.options);
        this.#announce.rule(this.#updates.rule);
        return this.#answer(ticket, undefined);
      case 'save':
      case 'load':
        this.#collective.hold(ticket);
        return this.#settings.withOptimizers(ticket, request.modules, () =>
          this.#stateQueue.add(ticket),
        );
      case 'barrier':
        return this.#collective.arrive(ticket, (done) => this.#answer(done, undefined));
    }
  }

  #pushGroups(groups: Parameters<KeyTable['pushGroups']>[0]): ReturnType<KeyTable['pushGroups']> {
    const checked = this.#keys.pushGroups(groups);
    for (const { entry, tensors } of checked) this.#updates.admit(entry, tensors);
    return checked;
  }

  /** Answers a ticket with an error and takes back whatever of it still waits. */
  #fail(ticket: EntryTicket, error: unknown): void {
    if (!this.#open.has(ticket)) return;
    const failure = toFailure(error);
    this.#answer(ticket, failure);
    this.#rounds.withdraw(ticket, failure);
    const { type } = ticket.request;
    if (ticket.rank === 0 && isSetting(ticket.request)) {
      this.#collective.configured(ticket, failure); // Those who follow it hear of its failure.
    } else {
      this.#collective.withdraw(ticket);
    }
    if (ticket.rank !== 0 || (type !== 'init' && type !== 'broadcast')) return;
    for (const held of this.#collective.waitingForKeys(ticket)) this.#fail(held, error);
  }

  #answer(ticket: EntryTicket, failure: Failure | undefined): void {
    if (!this.#open.delete(ticket)) return;
    if (failure !== undefined) this.#pins.withdraw(ticket);
    this.#announce.catchUp(ticket.rank);
    this.#host.send(ticket.rank, ticket.answer(failure));
  }

  #submit(...parts: Parameters<Rounds['submit']>): void {
    this.#rounds.submit(...parts);
    this.#lease?.touch(parts[0].entries);
  }

  /** Takes the store back from the engine, with what that has not ended. */
  #takeBack(): void {
    const left = this.#lease?.recall() ?? [];
    this.#open.addOld(left.map(({ ticket }) => ticket));
    for (const { ticket, push, pull } of left) this.#submit(ticket, push, pull);
  }

  #goOn(): void {
    if (this.#isReceiving) return; // The store is not leased before the whole batch is known.
    do this.#rounds.finish();
    while (this.#runStateCalls());
    const trimmed = this.#updates.trim();
    this.#lease?.touch(trimmed);
    if (this.#stateQueue.isEmpty) this.#lease?.grant();
    this.#status.publish(this.#members, this.#keys.size, this.#budget.usedBytes);
  }

  /** The engine needs something of the coordinator before it can go on. */
  renew(): void {
    this.#takeBack();
    this.#lease?.renew();
    this.#goOn();
  }

  /** Runs the saves and loads whose turn has come. Whether there were any. */
  #runStateCalls(): boolean {
    const due = this.#stateQueue.takeDue(!this.#rounds.isUpdating);
    for (const ticket of due) {
      if (!this.#open.has(ticket)) continue;
      try {
        this.#state.run(ticket.request as StateRequest);
        this.#lease?.touchAll();
        this.#answer(ticket, undefined);
        this.#collective.withdraw(ticket);
      } catch (error) {
        this.#fail(ticket, error);
      }
    }
    return due.length > 0;
  }
}
