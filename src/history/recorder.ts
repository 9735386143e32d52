import assert from 'node:assert/strict';
import type { Operation, OperationKind, Outcome } from './operation.js';

/**
 * The shared arrays in which one device records; they outlive its thread. Row `i` is operation `i`,
 * in the order of issue:
 *
 * ```text
 *  kinds  outcomes  keys   calls  ends   versions  payload
 *  u8     u8        u32    f64    f64    f64       f32 x width
 * ```
 *
 * `ends` is written last: a row without it is an operation that never ended.
 */
export interface RecorderMemory {
  readonly device: number;
  readonly width: number;
  /** Where the clock of this history begins. */
  readonly originNs: bigint;
  /** In its first element: how many operations began. */
  readonly count: Int32Array;
  readonly kinds: Uint8Array;
  readonly outcomes: Uint8Array;
  readonly keys: Uint32Array;
  readonly calls: Float64Array;
  readonly ends: Float64Array;
  readonly versions: Float64Array;
  readonly payload: Float32Array;
}

const kindCode = { push: 1, pull: 2 } as const;
const outcomeCode = { done: 1, refused: 2, unknown: 3 } as const;
const tornBit = 128;

/** What a recorder can hold. */
export interface RecorderSize {
  /** Operations. */
  readonly capacity: number;
  /** Elements of a pull that are kept. */
  readonly width: number;
}

/** Memory for the recorders of `devices` devices, zeroed; all share one clock. */
export function recorderMemories(devices: number, size: RecorderSize): RecorderMemory[] {
  const { capacity, width } = size;
  const originNs = process.hrtime.bigint();
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  return Array.from({ length: devices }, (_, device) => ({
    device,
    width,
    originNs,
    count: new Int32Array(shared(4)),
    kinds: new Uint8Array(shared(capacity)),
    outcomes: new Uint8Array(shared(capacity)),
    keys: new Uint32Array(shared(4 * capacity)),
    calls: new Float64Array(shared(8 * capacity)),
    ends: new Float64Array(shared(8 * capacity)),
    versions: new Float64Array(shared(8 * capacity)),
    payload: new Float32Array(shared(4 * capacity * width)),
  }));
}

/** Records what one device does, on its own thread. Allocates nothing for an operation. */
export class Recorder {
  readonly #memory: RecorderMemory;

  constructor(memory: RecorderMemory) {
    this.#memory = memory;
  }

  /** Nanoseconds on the history's clock. */
  now(): number {
    return Number(process.hrtime.bigint() - this.#memory.originNs);
  }

  /** An operation is about to be called, at `callNs`; returns its number. */
  begin(kind: OperationKind, key: number, callNs: number): number {
    const memory = this.#memory;
    const at = memory.count[0]!;
    assert(at < memory.kinds.length, `a recorder of ${memory.kinds.length} operations is full`);
    memory.kinds[at] = kindCode[kind];
    memory.keys[at] = key;
    memory.calls[at] = callNs;
    memory.versions[at] = Number.NaN;
    memory.count[0] = at + 1;
    return at;
  }

  /** What pull `at` gave: its elements up to where they repeat, and its version where it says one. */
  saw(at: number, seen: Float32Array, { isTorn = false, version = Number.NaN } = {}): void {
    const memory = this.#memory;
    memory.payload.set(seen, at * memory.width);
    memory.versions[at] = version;
    if (isTorn) memory.outcomes[at] = tornBit;
  }

  /** Operation `at` has ended, at `endNs`. */
  end(at: number, outcome: Outcome, endNs: number): void {
    this.#memory.outcomes[at] = this.#memory.outcomes[at]! | outcomeCode[outcome];
    this.#memory.ends[at] = endNs;
  }
}

/** How far a recorder has come. */
export function recordedCount(memory: RecorderMemory): number {
  return Atomics.load(memory.count, 0); // At the other side: Recorder.begin, which needs no order.
}

/** All that devices recorded, each device's in its order. To be read once they have ended. */
export function readHistory(memories: readonly RecorderMemory[]): Operation[] {
  return memories.flatMap((memory) => readDevice(memory));
}

function readDevice(memory: RecorderMemory): Operation[] {
  const pushes = new Map<number, number>();
  return Array.from({ length: recordedCount(memory) }, (_, at) => {
    const key = memory.keys[at]!;
    const kind = memory.kinds[at] === kindCode.push ? 'push' : 'pull';
    const number = (pushes.get(key) ?? 0) + (kind === 'push' ? 1 : 0);
    pushes.set(key, number);
    const code = memory.outcomes[at]! & ~tornBit;
    const outcome = memory.ends[at] === 0 ? 'unknown' : outcomeOf(code);
    return {
      device: memory.device,
      kind,
      key,
      callNs: memory.calls[at]!,
      endNs: outcome === 'unknown' ? Infinity : memory.ends[at]!,
      outcome,
      number,
      version: Number.isNaN(memory.versions[at]) ? undefined : memory.versions[at]!,
      seen: seenBy(memory, kind, at),
      isTorn: (memory.outcomes[at]! & tornBit) !== 0,
    };
  });
}

function seenBy({ payload, width }: RecorderMemory, kind: OperationKind, at: number): Float32Array {
  return kind === 'push' ? nothing : payload.subarray(at * width, (at + 1) * width);
}

const nothing = new Float32Array(0);

function outcomeOf(code: number): Outcome {
  if (code === outcomeCode.done) return 'done';
  return code === outcomeCode.refused ? 'refused' : 'unknown';
}
