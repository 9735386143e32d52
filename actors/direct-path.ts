import type { EngineDevice } from '../native/engine.js';
import { headLength, viewWord } from '../native/engine.js';
import type { Key } from '../src/core/keys.js';
import { allocate } from '../src/core/memory.js';
import {
  isRowSparse,
  monotonicMs,
  type PinnedTensor,
  type Released,
  type Request,
  type StoredKey,
  type ToCoordinator,
  type WireGroup,
  type WireTensor,
} from '../src/core/protocol.js';
import { sameShape, sizeOf } from '../src/core/shape.js';
import { arrayOf, type TensorHandle } from '../src/core/tensor.js';
import { KnownBuffers } from './known-buffers.js';
import type { Direct, Given } from './link.js';

/** Requests over keys, which the engine may take. */
type KeyRequest = Request & { readonly type: 'push' | 'pull' | 'pushpull' };

/** What the engine is told of a request besides its words. */
type Head = Pick<KeyRequest, 'id' | 'deadlineMs' | 'priority'>;

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

/**
 * How long awaited calls that end at once may follow each other: they resolve in microtasks, which
 * leave the event loop no turn.
 */
const mostTurnMs = 1;

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
  readonly #lingers: boolean;
  readonly #keys = new Map<Key, StoredKey>();
  readonly #buffers: KnownBuffers;
  /** By the id of their pull. */
  readonly #fresh = new Map<number, readonly TensorHandle[]>();
  /** How many views each pull of them asks for, by its id. */
  readonly #viewing = new Map<number, number>();
  /** Lists of groups that were sent, and the words of those that were sent again. */
  readonly #seen = new WeakSet<readonly WireGroup[]>();
  readonly #known = new WeakMap<readonly WireGroup[], KnownCall>();
  #heads = new Float64Array(16 * headLength);
  #words = new Int32Array(1024);
  #wordCount = 0;
  /** When calls began to follow each other within the turn of the event loop that is not over. */
  #turnMs: number | undefined;
  #isClosed = false;
  readonly #ended = new Float64Array(256);
  #onEnded: (ids: Float64Array, count: number) => void = () => undefined;

  /** `lingers`: calls that nobody blocks for may wait some microseconds all the same. */
  constructor(device: EngineDevice, bindings: Bindings, lingers: boolean) {
    this.#device = device;
    this.#bindings = bindings;
    this.#lingers = lingers;
    this.#buffers = new KnownBuffers((buffer, isKnown) => device.setKnown(buffer, isKnown));
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
    const taken = blocks
      ? this.#device.submit(orders, count, Infinity, false)
      : this.#device.submit(orders, count, inlineBytes, this.#lingers && count === batch.length);
    for (const { id } of batch.slice(taken, count) as Request[]) {
      this.#fresh.delete(id);
      this.#viewing.delete(id);
    }
    if (blocks ? taken < count : !this.#isOverdue()) this.look(); // Else `wait` or the next turn does.
    return taken;
  }

  /** Whether the event loop has had no turn for long: what has ended is told after the next one. */
  #isOverdue(): boolean {
    const nowMs = monotonicMs();
    if (this.#turnMs !== undefined) return nowMs > this.#turnMs + mostTurnMs;
    this.#turnMs = nowMs;
    setImmediate(() => {
      this.#turnMs = undefined;
      if (!this.#isClosed) this.look();
    });
    return false;
  }

  givenTo(id: number): Given | undefined {
    const count = this.#viewing.size === 0 ? undefined : this.#viewing.get(id);
    if (count !== undefined) {
      this.#viewing.delete(id);
      return this.#viewsOf(id, count);
    }
    if (this.#fresh.size === 0) return undefined;
    const fresh = this.#fresh.get(id);
    this.#fresh.delete(id);
    return fresh && { fresh };
  }

  /** Tells of what has ended. */
  look(): void {
    while (this.#tell(this.#device.takeEnded(this.#ended)) === this.#ended.length);
  }

  /**
   * Blocks until something has ended, and tells of it; false where nothing has: the coordinator
   * calls, or `sliceMs` have passed.
   */
  wait(sliceMs: number): boolean {
    const count = this.#tell(this.#device.wait(sliceMs, this.#ended));
    if (count === this.#ended.length) this.look();
    return count > 0;
  }

  /** The coordinator has made these views, after all that the engine has ended for this device. */
  learnBuffers(views: readonly PinnedTensor[]): void {
    this.look();
    // The engine may yet show what views on their way were taken in for.
    const forgets = this.#viewing.size === 0;
    for (const view of views) {
      if (view.tensor.device.type === 'cpu') this.#buffers.learn(view, forgets);
    }
  }

  /** These keys exist from now on. */
  learn(keys: readonly StoredKey[]): void {
    for (const stored of keys) this.#keys.set(stored.key, stored);
  }

  /** A tensor has got a number. */
  bound(number: number, tensor: WireTensor): void {
    if (!isRowSparse(tensor)) this.#device.bind(number, arrayOf(tensor), tensor.dtype);
  }

  /** The tensors of these numbers are gone. */
  unbound(numbers: readonly number[]): void {
    this.#device.unbind(numbers);
  }

  close(): void {
    this.#isClosed = true;
    this.#device.detach();
  }

  #tell(count: number): number {
    if (count > 0) this.#onEnded(this.#ended, count);
    return count;
  }

  /** Writes a request as number `index` of a call of the engine; false for one that is not plain. */
  #encode(message: ToCoordinator, index: number): boolean {
    if (message.type === 'release') return this.#encodeRelease(message, index);
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
    const keys = message.type === 'pull' ? message.pull : message.push;
    // Else the engine looks.
    const isDisjoint = keys.length === 1 || isKnown || message.type === 'push';
    this.#writeHead(index, message, isDisjoint, begin);
    if (!isKnown && message.type === 'pushpull') this.#learnWords(message, begin);
    return true;
  }

  #writeHead(
    index: number,
    { id, deadlineMs, priority = 0 }: Head,
    isDisjoint: boolean,
    begin: number,
  ): void {
    if ((index + 1) * headLength > this.#heads.length) this.#heads = doubled(this.#heads);
    const at = index * headLength;
    this.#heads[at] = id;
    this.#heads[at + 1] = deadlineMs;
    this.#heads[at + 2] = priority;
    this.#heads[at + 3] = isDisjoint ? 1 : 0;
    this.#heads[at + 4] = this.#wordCount - begin;
  }

  #encodeRelease({ pins }: Released, index: number): boolean {
    const begin = this.#wordCount;
    this.#makeRoom(2 * pins.length);
    for (const pin of pins) {
      const known = this.#buffers.find(pin);
      if (known === undefined) {
        this.#wordCount = begin;
        return false;
      }
      this.#words[this.#wordCount++] = known.key;
      this.#words[this.#wordCount++] = pin;
    }
    this.#writeHead(index, { id: 0, deadlineMs: 0 }, true, begin);
    return true;
  }

  /** What a pull that has ended was shown; undefined where the coordinator took it over. */
  #viewsOf(id: number, count: number): Given | undefined {
    const shown = new Float64Array(2 * count);
    if (this.#device.takeShown(id, shown) === 0) return undefined;
    const views: PinnedTensor[] = [];
    for (let at = 0; at < shown.length; at += 2) {
      const pin = shown[at]!;
      const { key, tensor } = this.#buffers.find(pin)!;
      views.push({ key, tensor, version: shown[at + 1]!, pin });
    }
    return { views };
  }

  /** Keeps the words of a call whose groups come again: they are the same arrays then. */
  #learnWords({ push, pull }: PushPull, begin: number): void {
    if (push.length === 1) return;
    if (!this.#seen.has(push)) return void this.#seen.add(push);
    const words = this.#words.slice(begin, this.#wordCount);
    if (this.#device.isDisjoint(words)) this.#known.set(push, { pull, words });
  }

  #append(words: Int32Array): void {
    this.#makeRoom(words.length);
    this.#words.set(words, this.#wordCount);
    this.#wordCount += words.length;
  }

  #makeRoom(count: number): void {
    while (this.#wordCount + count > this.#words.length) this.#words = doubled(this.#words);
  }

  #encodeGroups(message: KeyRequest): boolean {
    if (message.type !== 'pull') {
      for (const group of message.push) if (!this.#encodePart(group, true)) return false;
      if (message.type === 'push') return true;
    } else if (message.average === true) {
      return false;
    } else if (message.view === true) {
      return this.#encodeViews(message.id, message.pull);
    }
    const fresh: TensorHandle[] = [];
    for (const group of message.pull) {
      const whole = this.#withOut(group, fresh);
      if (whole === undefined || !this.#encodePart(whole, false)) return false;
    }
    if (fresh.length > 0) this.#fresh.set(message.id, fresh);
    return true;
  }

  #encodeViews(id: number, groups: readonly WireGroup[]): boolean {
    this.#makeRoom(3 * groups.length);
    for (const { key } of groups) {
      const stored = this.#keys.get(key);
      if (stored?.device.type !== 'cpu') return false;
      this.#words[this.#wordCount++] = stored.number;
      this.#words[this.#wordCount++] = 0;
      this.#words[this.#wordCount++] = viewWord;
    }
    this.#viewing.set(id, groups.length);
    return true;
  }

  /** A group that asks for a fresh tensor, with one; undefined where there is no room for it here. */
  #withOut(group: WireGroup, fresh: TensorHandle[]): WireGroup | undefined {
    const stored = this.#keys.get(group.key);
    if (group.tensors.length > 0 || stored === undefined) return group;
    const { key, shape, dtype, device } = stored;
    if (device.type !== 'cpu') return undefined;
    try {
      const out = { shape, dtype, device, data: allocate(dtype, sizeOf(shape)) };
      fresh.push(out);
      return { key, tensors: [out] };
    } catch {
      return undefined; // The coordinator says so, if it has none either.
    }
  }

  #encodePart({ key, tensors }: WireGroup, isPush: boolean): boolean {
    const stored = this.#keys.get(key);
    if (stored === undefined) return false;
    const { type, index } = stored.device;
    this.#makeRoom(tensors.length + 3);
    const words = this.#words;
    let at = this.#wordCount;
    words[at++] = stored.number;
    if (!isPush) words[at++] = 0;
    words[at++] = tensors.length;
    for (const tensor of tensors) {
      if (isRowSparse(tensor) || tensor.dtype !== stored.dtype) return false;
      if (tensor.device.type !== type) return false;
      if (type !== 'cpu' && tensor.device.index !== index) return false;
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
