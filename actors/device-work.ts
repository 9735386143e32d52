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
  readonly round?: DeviceRound | undefined;
}

/**
 * What a coordinator has kept back for CUDA devices while it handles a batch: one call of the driver
 * then does the rounds of many keys, and their pulls. Requests are answered once it has been sent. If a
 * device refuses, for want of memory or because it is lost, the keys whose rounds had work there are as
 * they were before and their requests fail.
 */
export class DeviceWork implements DeviceWatcher {
  readonly #kernels: Kernels;
  #done: Done[] = [];
  /** How many of these have been sent, by device. */
  readonly #sent = new Map<number, number>();
  #held: EntryTicket[] = [];
  /** Rounds that are being run, of keys that live on devices. */
  readonly #open = new Map<Entry, DeviceRound>();

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** A round of `entry` is about to be run: before this nothing is asked of its device for that. */
  begin(entry: Entry): void {
    if (entry.cudaDevice === undefined) return;
    this.#kernels.watch(this);
    this.#open.set(entry, new DeviceRound(entry));
  }

  /** Why the device has refused what the round of `entry` asked for, if it has. */
  refusalOf(entry: Entry): Failure | undefined {
    return this.#open.get(entry)?.refusal;
  }

  /** A round has ended, and is to be answered to `ranks`. Returns why it has failed, if it has. */
  end(entry: Entry, ranks: readonly Rank[], thrown: Failure | undefined): Failure | undefined {
    const round = this.#open.get(entry);
    if (round === undefined) return thrown;
    this.#open.delete(entry);
    const failure = thrown ?? round.refusal;
    const tickets = ranks.map((rank) => entry.pushOf(rank)!.ticket);
    if (failure === undefined) this.#done.push({ devices: [round.device], tickets, round });
    else round.restore();
    return failure;
  }

  /** The round of `entry` goes on later, and has changed nothing. */
  forget(entry: Entry): void {
    this.#open.delete(entry);
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
    for (const round of this.#open.values()) if (round.device === device) round.refuse(failure);
    const unsent = this.#done.slice(this.#sent.get(device) ?? 0).reverse();
    for (const { devices, tickets, round } of unsent) {
      if (!devices.includes(device)) continue;
      round?.refuse(failure);
      for (const ticket of tickets) ticket.failure ??= round?.refusal ?? failure;
    }
    this.sent(device);
  }
}

const none: readonly EntryTicket[] = [];

/** A round of a key on a device, with what it changes in memory of the CPU, to be put back. */
class DeviceRound {
  readonly device: number;
  /** Set once the device has refused what it asked for. */
  refusal: Failure | undefined;
  readonly #entry: Entry;
  readonly #version: number;
  readonly #count: number;
  readonly #counters: Counters;
  readonly #stored: Elements;
  /** Slots that updates have used. */
  readonly #used: readonly string[];
  #isOver = false;

  constructor(entry: Entry) {
    this.device = entry.cudaDevice!;
    this.#entry = entry;
    this.#version = entry.version;
    this.#count = entry.count;
    this.#counters = entry.counters;
    this.#stored = entry.stored;
    this.#used = [...entry.slots.keys()].filter((name) => !entry.newSlots.has(name));
  }

  /** The device does nothing of it. */
  refuse(failure: Failure): void {
    this.refusal ??= { ...failure, key: this.#entry.key };
    this.restore();
  }

  /** Puts the key back, once. */
  restore(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const entry = this.#entry;
    entry.version = this.#version;
    entry.count = this.#count;
    entry.counters = this.#counters;
    if (entry.spare === this.#stored) [entry.stored, entry.spare] = [this.#stored, entry.stored];
    for (const name of entry.slots.keys()) {
      if (!this.#used.includes(name)) entry.newSlots.add(name);
    }
  }
}
