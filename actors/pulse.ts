import { monotonicMs } from '../src/core/protocol.js';

/**
 * Shows that a thread runs: its device writes the time there when it calls the store, and now and then
 * while a call is open; the coordinator looks there when others wait for the device.
 */
export class Pulse {
  readonly #ms: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#ms = new Float64Array(memory);
  }

  /** Memory of a pulse that beats now. */
  static memory(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
    new Pulse(memory).beat(monotonicMs());
    return memory;
  }

  beat(nowMs: number): void {
    this.#ms[0] = nowMs; // A word of eight bytes: whoever reads it sees this one or the one before.
  }

  /** When it last did, on the monotonic clock. */
  get lastMs(): number {
    return this.#ms[0]!;
  }
}
