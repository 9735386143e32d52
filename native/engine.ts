import assert from 'node:assert/strict';
import { DeviceArray, type Elements } from '../src/core/device-array.js';
import { viewOf, type DType, type TensorData } from '../src/core/dtypes.js';
import type { Consistency } from '../src/core/types.js';
import { loadAddon, type OpenOrder, type Recalled } from './addon.js';
import { codeOf } from './dtype-codes.js';
import { kernels } from './kernels.js';

/**
 * The door to the engine, which carries out plain pushes and pulls of a store on whatever thread
 * comes last, see native/src/engine/engine.h. A coordinator owns it and leases the store to it;
 * devices attach to it. Everything that is handed in by address must live until the engine has let
 * go of it: the coordinator sees to that.
 */

export type { OpenOrder, Recalled };

/** What the engine may do to a key. */
export type Access =
  /** Nothing. */
  | { readonly kind: 'none' }
  /** Serve pulls. */
  | { readonly kind: 'read' }
  /** And pushes, whose sum replaces the tensor. */
  | { readonly kind: 'assign' }
  /** And pushes, with a step of an update rule. */
  | ({ readonly kind: 'step' } & StepPlan);

/** A step of an update rule, as `StepArguments` has it. */
export interface StepPlan {
  readonly rule: string;
  readonly slots: readonly Elements[];
  readonly master: Elements | undefined;
  readonly average: Elements | undefined;
  /** Elements of scratch that a step needs. */
  readonly scratchLength: number;
  /** The table of its hyper-parameters, see `setHyper`. */
  readonly table: number;
  /** Updates that the optimizer has made. */
  readonly count: number;
}

/** Hyper-parameters of updates to come, a row an update. */
export interface HyperRows {
  /** Updates made before that of the first row. */
  readonly first: number;
  /** Whether the first row holds for every update. */
  readonly isSteady: boolean;
  /** Numbers in a row. */
  readonly width: number;
  readonly values: Float64Array;
}

/** A buffer for the stored tensor of a key, and the number that views know it by. */
export interface StoredBuffer {
  readonly data: Elements;
  readonly number: number;
}

/** What the engine is told of a key: all on the CPU, or on one CUDA device. */
export interface KeyPlan {
  /** Position among the store's keys, from 0. */
  readonly key: number;
  readonly dtype: DType;
  readonly version: number;
  readonly stored: StoredBuffer;
  /** Where the next version goes while views hold `stored`. */
  readonly other: StoredBuffer | undefined;
  readonly access: Access;
}

/** An engine, as its coordinator holds it. */
export interface Engine {
  /** How other threads find it, see `attachDevice`. */
  readonly number: number;
  /** What may be done to a key. Only while the store is not leased. */
  setPlan(plan: KeyPlan): void;
  /** Where the pushes of each rank on a key that have ended are counted, with `ssp`. */
  setClocks(key: number, clocks: Float64Array): void;
  setHyper(table: number, rows: HyperRows): void;
  /** Makes room for ranks 0 to `ranks` - 1. Only while the store is not leased. */
  grow(ranks: number): void;
  /**
   * Leaves the store to the engine, with pins as in `Recalled`: a round takes a push of each of
   * `live`.
   */
  lease(live: readonly number[], pins: readonly number[]): void;
  /** Takes the store back, once what is running has ended. */
  recall(): Recalled;
  /** Ends the wait of a device: there is a message for it. */
  call(rank: number): void;
  /** Ends the engine. */
  close(): void;
}

/** Where requests are written for `submit`. */
export interface Orders {
  /** Five numbers each: id, deadline in ms, priority, 1 if it is disjoint, how many words. */
  readonly heads: Float64Array;
  /**
   * For each key of each request: its number, how many values, their numbers; then of the outs, or
   * `viewWord`. Of a release, whose id is 0: key and buffer for each pin.
   */
  readonly words: Int32Array;
}

/** One device of a store, on its own thread. */
export interface EngineDevice {
  /** Makes a tensor known by a number. */
  bind(number: number, elements: Elements, dtype: DType): void;
  unbind(numbers: readonly number[]): void;
  /** Whether views can be made of a buffer here. */
  setKnown(buffer: number, isKnown: boolean): void;
  /**
   * Takes requests in, up to the first that is not plain; returns how many. Does small work at once,
   * until it has moved `inlineBytes`; infinity: all of it. To be followed by `takeEnded`, for which
   * this waits some microseconds if it `lingers`: they are fewer than an event loop takes to wake.
   */
  submit(orders: Orders, count: number, inlineBytes: number, lingers: boolean): number;
  /** Whether no out of a request shares memory with a value or an out of another key. */
  isDisjoint(words: Int32Array): boolean;
  /** Writes the ids of requests that have ended to `ids`; returns how many. */
  takeEnded(ids: Float64Array): number;
  /** Writes buffer and version of each view that a request has got to `shown`; returns how many. */
  takeShown(id: number, shown: Float64Array): number;
  /**
   * Blocks, and helps, until a request has ended, `call` was called, or `sliceMs` have passed. As
   * `takeEnded` then; a call is remembered until a wait gives nothing.
   */
  wait(sliceMs: number, ids: Float64Array): number;
  detach(): void;
}

/** Numbers of a head. */
export const headLength = 5;

/** In place of a number of outs: a view is asked for. */
export const viewWord = -1;

/** When a round closes, see actors/closing.ts. */
export interface Pace {
  readonly consistency: Consistency;
  readonly staleness: number;
}

const consistencyCodes = { sync: 0, async: 1, ssp: 2 } as const;
const accessCodes = { none: 0, read: 1, assign: 2, step: 3 } as const;

/** The last allocation on CUDA devices that the engine can name: keys with later ones are the coordinator's. */
const mostId = 2 ** 23 - 1;

function canBeNamed(elements: Elements | undefined): boolean {
  return !(elements instanceof DeviceArray) || elements.id <= mostId;
}

function emptyOf(dtype: DType): TensorData {
  return viewOf(dtype, new SharedArrayBuffer(0), 0, 0);
}

const { addon } = loadAddon();

/** The rank under which a coordinator attaches: rung when a round needs it. */
export const coordinatorRank = 2 ** 32 - 1;

/** Where an engine tells everybody how it stands, each in the first element; shared memory. */
export interface EngineStatus {
  /** Counts new versions. */
  readonly updates: BigInt64Array;
  /** Not zero once the engine is closed, or its coordinator's thread has ended. */
  readonly ended: Int32Array;
}

/** An engine for `ranks` devices, or undefined where there is no addon. */
export function createEngine(
  ranks: number,
  { consistency, staleness }: Pace,
  { updates, ended }: EngineStatus,
): Engine | undefined {
  if (addon === undefined) return undefined;
  const { engine: native, steps } = addon;
  const code = consistencyCodes[consistency];
  const held = native.create(ranks, code, staleness, kernels.cpu, updates, ended);
  const rules = new Map(steps.map((name, i) => [name, i]));
  return {
    number: native.number(held),
    setPlan({ key, dtype, version, stored, other, access }) {
      const all = access.kind === 'step' ? [access.master, access.average, ...access.slots] : [];
      if (![stored.data, other?.data, ...all].every(canBeNamed)) {
        const nothing = [emptyOf(dtype), stored.number, undefined, -1, accessCodes.none] as const;
        return native.setPlan(held, key, version, ...nothing, codeOf(dtype));
      }
      const buffers = [stored.data, stored.number, other?.data, other?.number ?? -1] as const;
      const common = [key, version, ...buffers, accessCodes[access.kind], codeOf(dtype)] as const;
      if (access.kind !== 'step') return native.setPlan(held, ...common);
      const { rule, slots, master, average, scratchLength, table, count } = access;
      const number = rules.get(rule);
      assert(number !== undefined, `no update rule ${rule}`);
      native.setPlan(held, ...common, number, slots, master, average, scratchLength, table, count);
    },
    setClocks: (key, clocks) => native.setClocks(held, key, clocks),
    setHyper(table, { first, isSteady, width, values }) {
      assert(values.length >= width, 'a table of hyper-parameters has a row');
      native.setHyper(held, table, first, isSteady, width, values);
    },
    grow: (ranks) => native.grow(held, ranks),
    lease: (live, pins) => native.lease(held, live, Int32Array.from(pins)),
    recall: () => native.recall(held),
    call: (rank) => native.callDevice(held, rank),
    close: () => native.close(held),
  };
}

/**
 * Attaches this thread as device `rank` of an engine: `onEnded` is called soon after something has
 * ended that `takeEnded` has not told. Undefined where the engine is gone.
 */
export function attachDevice(
  engine: number,
  rank: number,
  onEnded: () => void,
): EngineDevice | undefined {
  if (addon === undefined) return undefined;
  const native = addon.engine;
  const held = native.attach(engine, rank, onEnded);
  if (held === undefined) return undefined;
  return {
    bind(number, elements, dtype) {
      if (!canBeNamed(elements)) return; // Unknown, then.
      native.bind(held, number, elements, codeOf(dtype));
    },
    unbind: (numbers) => native.unbind(held, numbers),
    setKnown: (buffer, isKnown) => native.setKnown(held, buffer, isKnown),
    submit: ({ heads, words }, count, inlineBytes, lingers) =>
      native.submit(held, heads, words, count, inlineBytes, lingers),
    isDisjoint: (words) => native.isDisjoint(held, words),
    takeEnded: (ids) => native.takeEnded(held, ids),
    takeShown: (id, shown) => native.takeShown(held, id, shown),
    wait: (sliceMs, ids) => native.wait(held, sliceMs, ids),
    detach: () => native.detach(held),
  };
}
