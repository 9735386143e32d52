import type { DeviceArray, Elements } from '../src/core/device-array.js';
import { dtypeInfo } from '../src/core/dtypes.js';
import type { Key } from '../src/core/keys.js';
import type { Counters } from '../src/core/optimizers/optimizer.js';
import type { Rank } from '../src/core/protocol.js';
import { sizeOf, type Shape } from '../src/core/shape.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { CompressionRule, Residuals, RoundValues } from './round-values.js';
import type { RowList } from '../native/kernels.js';
import type { StoredRows } from './stored-rows.js';
import type { Ticket } from './ticket.js';
import type { Rule } from './rule.js';

/** A request over entries, on its way. */
export type EntryTicket = Ticket<Entry>;

/** A device's values for one key in one request. */
export interface PushPart {
  readonly kind: 'push';
  readonly ticket: EntryTicket;
  readonly values: readonly Elements[];
  /** Set where the values are row-sparse: then these are the values. */
  readonly rows?: readonly RowList<DeviceArray>[];
  /** The name of each value's device; needed where they are compressed. */
  readonly devices: readonly string[];
  /** What the values go through before they are added. */
  readonly compression: CompressionRule | undefined;
  /** The rule in force when it was made; a round goes by that of its lowest rank. */
  readonly rule: Rule;
}

/** A device's outs for one key in one request. */
export interface PullPart {
  readonly kind: 'pull';
  readonly ticket: EntryTicket;
  readonly outs: readonly TensorHandle[];
  /** Where a fresh tensor goes among the ticket's, when there are no outs. */
  readonly freshIndex: number;
  /** Whether the weights to evaluate with are asked for, instead of the stored ones. */
  readonly average: boolean;
  /** The rows that are asked for, ascending and unique, or those held; left out: the whole tensor. */
  readonly rowIds?: BigInt64Array | 'held';
}

export type Part = PushPart | PullPart;

/** A stored tensor, or the rows of one that is stored row-sparse. */
export interface HeldTensor {
  readonly data: Elements;
  readonly rows?: StoredRows | undefined;
}

/** An update that an updater is making: what it reads, and what it may edit. */
export interface OpenUpdate {
  /** Of both buffers. */
  readonly shape: Shape;
  readonly input: Elements;
  readonly scratch: Elements;
  /** Set where they hold these rows alone of a key stored row-sparse. */
  readonly rows?: BigInt64Array;
}

/** An update that a device's own thread is making of the sum of a round. */
export interface PendingUpdate {
  readonly id: number;
  /** The device whose function runs. */
  readonly runner: Rank;
  /** The ranks whose pushes make up the round. */
  readonly ranks: readonly Rank[];
  readonly open: OpenUpdate;
  readonly values: RoundValues;
}

/**
 * One stored tensor and what waits for it. Each device has a lane: its parts in the order it
 * issued them. Only heads of lanes are ever looked at, so a device's calls on a key stay in order.
 */
export class Entry {
  readonly key: Key;
  /** Position among the store's keys, in order of init. */
  readonly order: number;
  /** Shape, dtype and device of the stored tensor; its data changes owner with each swap. */
  readonly like: TensorHandle;
  stored: Elements;
  /** Set where the key is stored row-sparse: then `stored` and the slots have those rows alone. */
  rows: StoredRows | undefined;
  /** Updates applied so far. */
  version = 0;
  /** The setting that `slots` and `spare` belong to. */
  setting = 0;
  /** The optimizer's tensors, by slot name. */
  readonly slots = new Map<string, Elements>();
  /** Those of them that no update has used: their first contents are still to be made. */
  readonly newSlots = new Set<string>();
  /** Updates that the optimizer of `setting` has made, and its other numbers. */
  count = 0;
  counters: Counters = {};
  /** What compression has left out, and of which setting. */
  readonly residuals: Residuals = new Map();
  residualSetting = 0;
  /** The other buffer of a key that a JavaScript updater works on. */
  spare: Elements | undefined;
  pending: PendingUpdate | undefined;
  /** By rank, in a store of `ssp`: see `Closing`. Replaced by a longer one as ranks come. */
  clocks: Float64Array<ArrayBufferLike> = new Float64Array(0);
  /** Devices that have initialised this key. */
  readonly initialised = new Set<Rank>();
  /** By rank. */
  readonly #lanes: Part[][] = [];
  /** Parts whose priority is not 0. */
  #prioritised = 0;

  constructor(key: Key, order: number, like: TensorHandle, { data, rows }: HeldTensor) {
    this.key = key;
    this.order = order;
    this.like = like;
    this.stored = data;
    this.rows = rows;
  }

  /** The shape that `stored` has room for. */
  get roomShape(): Shape {
    return this.rows === undefined ? this.like.shape : this.shapeOf(this.rows.capacity);
  }

  /** The shape of what is held: the first rows of `stored`, or all of it. */
  get heldShape(): Shape {
    return this.rows === undefined ? this.like.shape : this.shapeOf(this.rows.size);
  }

  /** Elements of a row. */
  get rowLength(): number {
    return sizeOf(this.like.shape.slice(1));
  }

  /** The shape of `count` rows of this key. */
  shapeOf(count: number): Shape {
    return [count, ...this.like.shape.slice(1)];
  }

  /** The part of `data`, a buffer like `stored`, that is held. */
  heldPart(data: Elements): Elements {
    return this.rows === undefined ? data : data.subarray(0, this.rows.size * this.rowLength);
  }

  /** The CUDA device that it is stored on, with all that belongs to it; undefined: on the CPU. */
  get cudaDevice(): number | undefined {
    const { type, index } = this.like.device;
    return type === 'cuda' ? index : undefined;
  }

  get byteLength(): number {
    return this.stored.length * dtypeInfo(this.like.dtype).bytes;
  }

  /** The handle of this key's tensor on `data`, or of as many rows as `shape` has. */
  handleOn(data: Elements, shape = this.like.shape): TensorHandle {
    return { ...this.like, shape, data };
  }

  /** Appends a part to the lane of its device. */
  enqueue(part: Part): void {
    const { rank } = part.ticket;
    while (this.#lanes.length <= rank) this.#lanes.push([]);
    this.#lanes[rank]!.push(part);
    if (part.ticket.priority !== 0) this.#prioritised += 1;
  }

  /** The highest priority among the heads of the lanes. */
  get priority(): number {
    if (this.#prioritised === 0) return 0;
    let highest = -Infinity;
    for (const [head] of this.#lanes) {
      if (head !== undefined && head.ticket.priority > highest) highest = head.ticket.priority;
    }
    return highest;
  }

  /** The oldest part of `rank` that is not done. */
  head(rank: Rank): Part | undefined {
    return this.#lanes[rank]?.[0];
  }

  /** The head of `rank`'s lane, if it is a push. */
  pushOf(rank: Rank): PushPart | undefined {
    const head = this.head(rank);
    return head?.kind === 'push' ? head : undefined;
  }

  /** What stands at the head of the lane in which a part of `ticket` waits. */
  headBefore(ticket: EntryTicket): Part['kind'] | undefined {
    const lane = this.#lanes[ticket.rank] ?? [];
    return lane.some((part) => part.ticket === ticket) ? lane[0]!.kind : undefined;
  }

  /** Whether nothing waits for this key. */
  get isIdle(): boolean {
    return this.pending === undefined && this.#lanes.every((lane) => lane.length === 0);
  }

  /** Takes the head off `rank`'s lane. */
  pop(rank: Rank): void {
    const part = this.#lanes[rank]?.shift();
    if (part !== undefined && part.ticket.priority !== 0) this.#prioritised -= 1;
  }

  /** Ranks whose lanes have a part of `kind` at the head, ascending. */
  ranksAt(kind: Part['kind']): Rank[] {
    const ranks: Rank[] = [];
    for (let rank = 0; rank < this.#lanes.length; rank++) {
      if (this.#lanes[rank]![0]?.kind === kind) ranks.push(rank);
    }
    return ranks;
  }

  /** Drops every part that `isDropped` picks. */
  drop(isDropped: (part: Part) => boolean): void {
    this.#lanes.forEach((lane, rank) => {
      const dropped = lane.filter(isDropped);
      if (dropped.length === 0) return;
      this.#lanes[rank] = lane.filter((part) => !dropped.includes(part));
      this.#prioritised -= dropped.filter(({ ticket }) => ticket.priority !== 0).length;
    });
  }
}
