import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dtypeInfo, viewOf, type DType, type TensorData } from './dtypes.js';
import { KVStoreError } from './errors.js';
import {
  hugePageBytes,
  lineBytes,
  padToLine,
  slabBytes,
  smallTensorBytes,
  staggerOf,
} from './layout.js';

/**
 * Counts bytes against a limit, before they are allocated: a huge SharedArrayBuffer succeeds lazily
 * and kills the process when it is touched.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  readonly #owner: string;
  #usedBytes = 0;

  constructor(limitBytes: number, owner: string) {
    this.limitBytes = limitBytes;
    this.#owner = owner;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes `bytes`, or throws `memory_limit` and takes nothing. `what` names them in the message. */
  reserve(bytes: number, what: string, key?: string | number): void {
    if (this.#usedBytes + bytes > this.limitBytes) {
      throw new KVStoreError(
        'memory_limit',
        `${what} needs ${bytes} bytes, but ${this.#owner} holds ${this.#usedBytes} of at most ` +
          `${this.limitBytes} bytes`,
        { key },
      );
    }
    this.#usedBytes += bytes;
  }

  /** Gives `bytes` back. */
  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Bytes the machine, or the container around this process, can give. */
export function machineBytes(): number {
  const constrained = process.constrainedMemory();
  const total = totalmem();
  return constrained > 0 && constrained < total ? constrained : total;
}

/** Tensors made by this thread: at most what the machine has. Given back as they are collected. */
const threadBudget = new MemoryBudget(machineBytes(), 'this thread');
const collected = new FinalizationRegistry<number>((bytes) => threadBudget.release(bytes));

/** Buffers made since memory was last looked through for ones that nobody holds. */
let unsweptBytes = 0;
const sweepEveryBytes = 512 * 1024 * 1024;

/**
 * Finds where `bytes` bytes should start in a buffer that has `hugePageBytes` more, so that they lie
 * on huge pages.
 */
export type Placement = (buffer: Uint8Array, bytes: number) => number;

let place: Placement | undefined;

/** Has this thread's tensors of at least `hugePageBytes` placed so from now on. */
export function placeLargeTensors(placement: Placement): void {
  place = placement;
}

let slab: SharedArrayBuffer | undefined;
let slabUsed = 0;
let largeCount = 0;

/**
 * Zero-filled shared memory for `length` elements of `dtype`, cache-line aligned, as layout.ts
 * draws it. Throws `memory_limit` when the machine does not have that much.
 */
export function allocate(dtype: DType, length: number): TensorData {
  const bytes = length * dtypeInfo(dtype).bytes;
  return bytes <= smallTensorBytes
    ? allocateSmall(dtype, length, padToLine(bytes))
    : allocateLarge(dtype, length, bytes);
}

function allocateSmall(dtype: DType, length: number, paddedBytes: number): TensorData {
  if (slab === undefined || slabUsed + paddedBytes > slabBytes) {
    slab = newBuffer(slabBytes);
    slabUsed = 0;
  }
  const view = viewOf(dtype, slab, slabUsed, length);
  slabUsed += paddedBytes;
  return view;
}

function allocateLarge(dtype: DType, length: number, bytes: number): TensorData {
  const stagger = staggerOf(largeCount);
  const used = stagger + padToLine(bytes) + lineBytes;
  largeCount += 1;
  if (place === undefined || bytes < hugePageBytes) {
    return viewOf(dtype, newBuffer(used), stagger, length);
  }
  const buffer = newBuffer(used, hugePageBytes);
  const start = place(new Uint8Array(buffer), stagger + bytes);
  return viewOf(dtype, buffer, start + stagger, length);
}

/** `spareBytes` more are never touched, and so cost addresses but no memory. */
function newBuffer(bytes: number, spareBytes = 0): SharedArrayBuffer {
  // To the collector a shared buffer weighs nothing, so it would let garbage fill the machine.
  unsweptBytes += bytes;
  if (unsweptBytes > sweepEveryBytes) sweep();
  threadBudget.reserve(bytes, 'a tensor buffer');
  try {
    // Growable buffers start on a page, plain ones 16 bytes past one.
    const length = bytes + spareBytes;
    const buffer = new SharedArrayBuffer(length, { maxByteLength: length });
    collected.register(buffer, bytes);
    return buffer;
  } catch (error) {
    threadBudget.release(bytes);
    throw new KVStoreError('memory_limit', `${bytes} bytes could not be allocated`, {
      cause: error,
    });
  }
}

/** Collects garbage; the bytes of collected buffers are given back within a few turns. */
function sweep(): void {
  unsweptBytes = 0;
  collectGarbage();
}

/** Has everything found that nobody can reach. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
