import { areDevicesInUse, type Elements } from '../src/core/device-array.js';
import { toFailure, type Failure } from '../src/core/errors.js';
import type { Counters } from '../src/core/optimizers/optimizer.js';
import type { DeviceWatcher, Kernels } from '../native/kernels.js';
import type { Rank } from '../src/core/protocol.js';
import type { Entry, EntryTicket, PullPart } from './entry.js';

/** Something that was done for requests, of which a part may not have been sent to a device. */
interface Done {
  readonly devices: readonly number[];
  readonly tickets: readonly EntryTicket[];
  readonly before?: KeyState | undefined;
}

/**
 * What a coordinator has kept back for CUDA devices while it handles a batch: one call of the driver
 * then does the rounds of many keys, and their pulls. Requests are answered once it has been sent. If a
 * device refuses, for want of memory or because it is lost, the keys are as they were before and the
 * requests fail.
 */
export class DeviceWork implements DeviceWatcher {
  readonly #kernels: Kernels;
  #done: Done[] = [];
  /** How many of these have been sent, by device. */
  readonly #sent = new Map<number, number>();
  #held: EntryTicket[] = [];
  /** The state of the key whose round is being run. */
  #current: KeyState | undefined;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** A round of `entry` is about to be run. What it gives is undefined for a key on the CPU. */
  begin(entry: Entry): KeyState | undefined {
    if (entry.cudaDevice === undefined) return undefined;
    this.#kernels.watch(this);
    this.#current = new KeyState(entry);
    return this.#current;
  }

  /** The round that began with `before` has ended, and is to be answered to `ranks`. */
  end(before: KeyState | undefined, ranks: readonly Rank[], failure: Failure | undefined): void {
    if (before === undefined) return;
    this.#current = undefined;
    if (failure !== undefined) return before.restore();
    const tickets = ranks.map((rank) => before.entry.pushOf(rank)!.ticket);
    this.#done.push({ devices: [before.device], tickets, before });
  }

  /** The round goes on later, and has changed nothing. */
  forget(): void {
    this.#current = undefined;
  }

  /** A part of a pull has been served. */
  pulled({ cudaDevice }: Entry, { ticket, outs }: PullPart): void {
    if (!areDevicesInUse()) return;
    const outDevices = outs.map(({ device }) =>
      device.type === 'cuda' ? device.index : undefined,
    );
    const devices = [cudaDevice, ...outDevices].filter((each) => each !== undefined);
    if (devices.length === 0) return;
    this.#kernels.watch(this);
    this.#done.push({ devices, tickets: [ticket] });
  }

  /** Keeps a ticket that has ended until `send`, if it has to wait for that. */
  holds(ticket: EntryTicket): boolean {
    if (this.#done.length === 0) return false;
    this.#held.push(ticket);
    return true;
  }

  /** Sends everything. Returns the tickets that were kept, those that have failed with their failure. */
  send(): readonly EntryTicket[] {
    if (!areDevicesInUse()) return none;
    try {
      this.#kernels.flush();
    } catch {
      // `failed` has heard of it.
    }
    this.#kernels.watch(undefined);
    this.#done = [];
    this.#sent.clear();
    const held = this.#held;
    this.#held = [];
    return held;
  }

  sent(device: number): void {
    this.#sent.set(device, this.#done.length);
  }

  failed(device: number, error: unknown): void {
    const failure: Failure = toFailure(error);
    if (this.#current?.device === device) this.#current.restore();
    const unsent = this.#done.slice(this.#sent.get(device) ?? 0).reverse();
    for (const { devices, tickets, before } of unsent) {
      if (!devices.includes(device)) continue;
      before?.restore();
      const named = before === undefined ? failure : { ...failure, key: before.entry.key };
      for (const ticket of tickets) ticket.failure ??= named;
    }
    this.sent(device);
  }
}

const none: readonly EntryTicket[] = [];

/** What a round changes of a key in memory of the CPU, to be put back. */
export class KeyState {
  readonly device: number;
  readonly entry: Entry;
  readonly #version: number;
  readonly #count: number;
  readonly #counters: Counters;
  readonly #stored: Elements;
  /** Slots that updates have used. */
  readonly #used: readonly string[];
  #isOver = false;

  constructor(entry: Entry) {
    this.device = entry.cudaDevice!;
    this.entry = entry;
    this.#version = entry.version;
    this.#count = entry.count;
    this.#counters = entry.counters;
    this.#stored = entry.stored;
    this.#used = [...entry.slots.keys()].filter((name) => !entry.newSlots.has(name));
  }

  /** Puts it back, once. */
  restore(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { entry } = this;
    entry.version = this.#version;
    entry.count = this.#count;
    entry.counters = this.#counters;
    if (entry.spare === this.#stored) [entry.stored, entry.spare] = [this.#stored, entry.stored];
    for (const name of entry.slots.keys()) {
      if (!this.#used.includes(name)) entry.newSlots.add(name);
    }
  }
}
