import { dtypeInfo, type TensorData } from '../src/core/dtypes.js';
import { codecOf } from '../src/core/elements.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import type { Workspace } from './workspace.js';

/**
 * The store option `guard: 'finite'`: a version with a NaN or an infinity in it is never published.
 * What an update changes in place is copied before, to be put back: to one buffer that serves every
 * key, as large as the largest needs.
 */
export class FiniteGuard {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly isOn: boolean;
  #copy: TensorData | undefined;

  constructor(kernels: Kernels, workspace: Workspace, isOn: boolean) {
    this.#kernels = kernels;
    this.#workspace = workspace;
    this.isOn = isOn;
  }

  /** Whether versions of `entry` are looked at. Integers are always finite. */
  watches(entry: Entry): boolean {
    return this.isOn && dtypeInfo(entry.like.dtype).floating;
  }

  /** Throws `updater_error` when `data`, the next version of `entry`, must not be published. */
  check(entry: Entry, data: TensorData): void {
    const { dtype } = entry.like;
    if (!this.watches(entry) || this.#kernels.isFinite(data, dtype)) return;
    const { get } = codecOf(dtype);
    let at = 0;
    while (Number.isFinite(get(data, at))) at += 1;
    throw new KVStoreError(
      'updater_error',
      `the update of ${showKey(entry.key)} expected finite numbers, as guard: "finite" asks, ` +
        `got ${get(data, at)} as element ${at}`,
      { key: entry.key },
    );
  }

  /**
   * Runs an update that changes the stored tensor of `entry`, its slots and counters in place. When
   * it throws or leaves the stored tensor other than finite, all are as before, and this throws. With
   * `mayThrow` also where versions are not looked at.
   */
  protect(entry: Entry, update: () => void, mayThrow = false): void {
    if (!mayThrow && !this.watches(entry)) return update();
    const changed = [entry.stored, ...entry.slots.values()].map(bytesOf);
    const copies = this.#room(entry, changed);
    changed.forEach((bytes, i) => this.#kernels.copy(bytes, [copies[i]!]));
    const { count, counters } = entry;
    const unfilled = [...entry.newSlots];
    try {
      update();
      this.check(entry, entry.heldPart(entry.stored));
    } catch (error) {
      changed.forEach((bytes, i) => this.#kernels.copy(copies[i]!, [bytes]));
      Object.assign(entry, { count, counters });
      for (const name of unfilled) if (entry.slots.has(name)) entry.newSlots.add(name);
      throw error;
    }
  }

  /** Gives the buffer back. */
  release(): void {
    if (this.#copy !== undefined) this.#workspace.release(this.#copy);
    this.#copy = undefined;
  }

  /** Places for copies of `changed`, one behind the other. */
  #room(entry: Entry, changed: readonly Uint8Array[]): Uint8Array[] {
    const wanted = changed.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.#copy === undefined || this.#copy.byteLength < wanted) {
      this.release();
      const { key } = entry;
      const what = `the copy to put back of ${showKey(key)}`;
      const length = Math.ceil(wanted / 8);
      this.#copy = this.#workspace.reserve({ dtype: 'float64', length, what, key });
    }
    const room = bytesOf(this.#copy);
    let end = 0;
    return changed.map(({ byteLength }) => room.subarray(end, (end += byteLength)));
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
