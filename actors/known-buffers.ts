import type { PinnedTensor } from '../src/core/protocol.js';
import { Tensor, type TensorHandle } from '../src/core/tensor.js';

/** A buffer of a key, as a device knows it. */
export interface KnownBuffer {
  /** The number of the key. */
  readonly key: number;
  readonly tensor: TensorHandle;
}

/**
 * The stored buffers that a device has been shown, by number: of these it can make views without
 * asking the coordinator. Of each key the last two are kept, and more while views are asked for.
 */
export class KnownBuffers {
  readonly #buffers = new Map<number, KnownBuffer>();
  /** By the number of the key. */
  readonly #ofKey = new Map<number, readonly number[]>();
  readonly #changed: (buffer: number, isKnown: boolean) => void;

  /** `changed` is called for each buffer that is known from now on, or no more. */
  constructor(changed: (buffer: number, isKnown: boolean) => void) {
    this.#changed = changed;
  }

  find(buffer: number): KnownBuffer | undefined {
    return this.#buffers.get(buffer);
  }

  /**
   * Learns from a view that the coordinator has made. `forgets`: what else was known of its key is
   * not needed any more. An answer may be older than what was learned since.
   */
  learn({ key, tensor, pin, other }: PinnedTensor, forgets: boolean): void {
    const shown = other === undefined ? [pin] : [pin, other.pin];
    const before = this.#ofKey.get(key) ?? [];
    const now = forgets ? shown : [...new Set([...before, ...shown])];
    for (const buffer of before) if (!now.includes(buffer)) this.#set(buffer, undefined);
    this.#ofKey.set(key, now);
    this.#learn(pin, key, tensor);
    if (other !== undefined) this.#learn(other.pin, key, other.tensor);
  }

  #learn(buffer: number, key: number, tensor: TensorHandle): void {
    // Checked once, and not for each view.
    if (!this.#buffers.has(buffer)) this.#set(buffer, { key, tensor: Tensor.fromHandle(tensor) });
  }

  #set(buffer: number, known: KnownBuffer | undefined): void {
    if (known !== undefined) this.#buffers.set(buffer, known);
    else this.#buffers.delete(buffer);
    this.#changed(buffer, known !== undefined);
  }
}
