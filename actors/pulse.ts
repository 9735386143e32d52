/**
 * Shows that a thread runs: its device writes the time there when it opens the store, when it calls it, and
 * now and then while a call is open; the coordinator looks there when others wait for the device.
 */
export class Pulse {
  readonly #ms: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#ms = new Float64Array(memory);
  }

  /** Memory of a pulse that has not beaten yet. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
  }

  beat(nowMs: number): void {
    this.#ms[0] = nowMs; // A word of eight bytes: whoever reads it sees this one or the one before.
  }

  /** When it last did, on the monotonic clock; undefined if never. */
  get lastMs(): number | undefined {
    const ms = this.#ms[0]!;
    return ms === 0 ? undefined : ms;
  }
}
