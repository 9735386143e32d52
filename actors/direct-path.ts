import type { EngineDevice } from '../native/engine.js';
import { headLength } from '../native/engine.js';
import type { Key } from '../src/core/keys.js';
import { allocate } from '../src/core/memory.js';
import {
  isRowSparse,
  type Request,
  type StoredKey,
  type ToCoordinator,
  type WireGroup,
  type WireTensor,
} from '../src/core/protocol.js';
import { sameShape, sizeOf } from '../src/core/shape.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Direct } from './link.js';

/** Requests over keys, which the engine may take. */
type KeyRequest = Request & { readonly type: 'push' | 'pull' | 'pushpull' };

type PushPull = KeyRequest & { readonly type: 'pushpull' };

/** A call that has come before. */
interface KnownCall {
  readonly pull: readonly WireGroup[];
  readonly words: Int32Array;
}

/**
 * Bytes that a caller moves itself before the rest is left to the pool: some 100 microseconds of
 * work, so that an event loop is never held up for long.
 */
const inlineBytes = 2 ** 20;

/** How tensors get the numbers that the engine and the coordinator know them by. */
interface Bindings {
  bind(tensor: WireTensor): number;
  /** Tells the coordinator of new numbers; it keeps the tensors alive that the engine works on. */
  post(): void;
}

/** Hands plain pushes and pulls to the engine. What is plain is decided here and in the engine. */
export class DirectPath implements Direct {
  readonly #device: EngineDevice;
  readonly #bindings: Bindings;
  readonly #keys = new Map<Key, StoredKey>();
  /** By the id of their pull. */
  readonly #fresh = new Map<number, readonly TensorHandle[]>();
  /** Lists of groups that were sent, and the words of those that were sent again. */
  readonly #seen = new WeakSet<readonly WireGroup[]>();
  readonly #known = new WeakMap<readonly WireGroup[], KnownCall>();
  #heads = new Float64Array(16 * headLength);
  #words = new Int32Array(1024);
  #wordCount = 0;
  readonly #ended = new Float64Array(256);
  #onEnded: (ids: Float64Array, count: number) => void = () => undefined;

  constructor(device: EngineDevice, bindings: Bindings) {
    this.#device = device;
    this.#bindings = bindings;
  }

  listen(onEnded: (ids: Float64Array, count: number) => void): void {
    this.#onEnded = onEnded;
  }

  submit(batch: readonly ToCoordinator[], blocks: boolean): number {
    this.#wordCount = 0;
    let count = 0;
    while (count < batch.length && this.#encode(batch[count]!, count)) count += 1;
    if (count === 0) return 0;
    this.#bindings.post();
    const orders = { heads: this.#heads, words: this.#words };
    const taken = this.#device.submit(orders, count, blocks ? Infinity : inlineBytes);
    for (const { id } of batch.slice(taken, count) as Request[]) this.#fresh.delete(id);
    this.look();
    return taken;
  }

  freshOf(id: number): readonly TensorHandle[] | undefined {
    if (this.#fresh.size === 0) return undefined;
    const fresh = this.#fresh.get(id);
    this.#fresh.delete(id);
    return fresh;
  }

  /** Tells of what has ended. */
  look(): void {
    for (;;) {
      const count = this.#device.takeEnded(this.#ended);
      if (count > 0) this.#onEnded(this.#ended, count);
      if (count < this.#ended.length) return;
    }
  }

  /** Blocks until something has ended, the coordinator calls, or `sliceMs` have passed; tells of it. */
  wait(sliceMs: number): void {
    this.#device.wait(sliceMs);
    this.look();
  }

  /** These keys exist from now on. */
  learn(keys: readonly StoredKey[]): void {
    for (const stored of keys) this.#keys.set(stored.key, stored);
  }

  /** A tensor has got a number. */
  bound(number: number, tensor: WireTensor): void {
    if (!isRowSparse(tensor)) this.#device.bind(number, tensor.data, tensor.dtype);
  }

  /** The tensors of these numbers are gone. */
  unbound(numbers: readonly number[]): void {
    this.#device.unbind(numbers);
  }

  close(): void {
    this.#device.detach();
  }

  /** Writes a request as number `index` of a call of the engine; false for one that is not plain. */
  #encode(message: ToCoordinator, index: number): boolean {
    if (!isKeyRequest(message)) return false;
    const begin = this.#wordCount;
    const known = message.type === 'pushpull' ? this.#known.get(message.push) : undefined;
    const isKnown = known !== undefined && known.pull === (message as PushPull).pull;
    if (isKnown) {
      this.#append(known.words);
    } else if (!this.#encodeGroups(message) || this.#wordCount === begin) {
      this.#wordCount = begin;
      return false;
    }
    if ((index + 1) * headLength > this.#heads.length) this.#heads = doubled(this.#heads);
    const { id, deadlineMs, priority = 0 } = message;
    const keys = message.type === 'pull' ? message.pull : message.push;
    const isDisjoint = keys.length === 1 || isKnown; // Else the engine looks.
    const at = index * headLength;
    this.#heads[at] = id;
    this.#heads[at + 1] = deadlineMs;
    this.#heads[at + 2] = priority;
    this.#heads[at + 3] = isDisjoint ? 1 : 0;
    this.#heads[at + 4] = this.#wordCount - begin;
    if (!isKnown && message.type === 'pushpull') this.#learnWords(message, begin);
    return true;
  }

  /** Keeps the words of a call whose groups come again: they are the same arrays then. */
  #learnWords({ push, pull }: PushPull, begin: number): void {
    if (push.length === 1) return;
    if (!this.#seen.has(push)) return void this.#seen.add(push);
    const words = this.#words.slice(begin, this.#wordCount);
    if (this.#device.isDisjoint(words)) this.#known.set(push, { pull, words });
  }

  #append(words: Int32Array): void {
    const end = this.#wordCount + words.length;
    while (end > this.#words.length) this.#words = doubled(this.#words);
    this.#words.set(words, this.#wordCount);
    this.#wordCount = end;
  }

  #encodeGroups(message: KeyRequest): boolean {
    if (message.type !== 'pull') {
      for (const group of message.push) if (!this.#encodePart(group, true)) return false;
      if (message.type === 'push') return true;
    } else if (message.average === true || message.view === true) {
      return false;
    }
    const fresh: TensorHandle[] = [];
    for (const group of message.pull) {
      if (!this.#encodePart(this.#withOut(group, fresh), false)) return false;
    }
    if (fresh.length > 0) this.#fresh.set(message.id, fresh);
    return true;
  }

  /** A group that asks for a fresh tensor, with one. */
  #withOut(group: WireGroup, fresh: TensorHandle[]): WireGroup {
    const stored = this.#keys.get(group.key);
    if (group.tensors.length > 0 || stored === undefined) return group;
    const { key, shape, dtype, device } = stored;
    const out = { shape, dtype, device, data: allocate(dtype, sizeOf(shape)) };
    fresh.push(out);
    return { key, tensors: [out] };
  }

  #encodePart({ key, tensors }: WireGroup, isPush: boolean): boolean {
    const stored = this.#keys.get(key);
    if (stored === undefined) return false;
    const end = this.#wordCount + tensors.length + 3;
    while (end > this.#words.length) this.#words = doubled(this.#words);
    const words = this.#words;
    let at = this.#wordCount;
    words[at++] = stored.number;
    if (!isPush) words[at++] = 0;
    words[at++] = tensors.length;
    for (const tensor of tensors) {
      if (isRowSparse(tensor) || tensor.dtype !== stored.dtype) return false;
      if (!sameShape(tensor.shape, stored.shape)) return false;
      words[at++] = this.#bindings.bind(tensor);
    }
    if (isPush) words[at++] = 0;
    this.#wordCount = at;
    return true;
  }
}

function isKeyRequest(message: ToCoordinator): message is KeyRequest {
  return message.type === 'push' || message.type === 'pull' || message.type === 'pushpull';
}

function doubled<T extends Float64Array | Int32Array>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(array.length * 2);
  larger.set(array);
  return larger;
}
