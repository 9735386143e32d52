import { DeviceArray, type Elements } from '../src/core/device-array.js';
import { dtypeInfo, type TensorData } from '../src/core/dtypes.js';
import { codecOf, onHost } from '../src/core/elements.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import type { Workspace } from './workspace.js';

/**
 * The store option `guard: 'finite'`: a version with a NaN or an infinity in it is never published.
 * What an update changes in place is copied before, to be put back: to one buffer that serves every
 * key of a device, as large as the largest needs.
 */
export class FiniteGuard {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly isOn: boolean;
  /** By where they lie. */
  readonly #copies = new Map<string, Elements>();

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
  check(entry: Entry, data: Elements): void {
    const { dtype } = entry.like;
    if (!this.watches(entry) || this.#kernels.isFinite(data, dtype)) return;
    const { get } = codecOf(dtype);
    const seen = onHost(data);
    let at = 0;
    while (Number.isFinite(get(seen, at))) at += 1;
    throw new KVStoreError(
      'updater_error',
      `the update of ${showKey(entry.key)} expected finite numbers, as guard: "finite" asks, ` +
        `got ${get(seen, at)} as element ${at}`,
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
    const pairs = this.#room(entry, [entry.stored, ...entry.slots.values()]);
    for (const [changed, copy] of pairs) this.#kernels.copy(changed, [copy]);
    // A copy that a device refuses is not to be put back.
    if (entry.cudaDevice !== undefined) this.#kernels.flush(entry.cudaDevice);
    const { count, counters } = entry;
    const unfilled = [...entry.newSlots];
    try {
      update();
      this.check(entry, entry.heldPart(entry.stored));
    } catch (error) {
      for (const [changed, copy] of pairs) this.#kernels.copy(copy, [changed]);
      Object.assign(entry, { count, counters });
      for (const name of unfilled) if (entry.slots.has(name)) entry.newSlots.add(name);
      throw error;
    }
  }

  /** Gives the buffers back. */
  release(): void {
    for (const copy of this.#copies.values()) this.#workspace.release(copy);
    this.#copies.clear();
  }

  /** Each of `changed` with a place for a copy of it, one behind the other. */
  #room(entry: Entry, changed: readonly Elements[]): CopyPair[] {
    // In doubles, so that each begins where any dtype may.
    const lengths = changed.map(({ byteLength }) => Math.ceil(byteLength / 8));
    const room = this.#buffer(
      entry,
      lengths.reduce((sum, length) => sum + length, 0),
    );
    let end = 0;
    return changed.map((each, i) => pairOf(each, room.subarray(end, (end += lengths[i]!))));
  }

  #buffer({ key, like: { device: place } }: Entry, length: number): Elements {
    const name = `${place.type} ${place.type === 'cpu' ? '' : place.index}`;
    const known = this.#copies.get(name);
    if (known !== undefined && known.length >= length) return known;
    if (known !== undefined) this.#workspace.release(known);
    this.#copies.delete(name);
    const what = `the copy to put back of ${showKey(key)}`;
    const made = this.#workspace.reserve({ dtype: 'float64', length, place, what, key });
    this.#copies.set(name, made);
    return made;
  }
}

/** Elements, and as many of the same kind for a copy. */
type CopyPair = readonly [DeviceArray, DeviceArray] | readonly [Uint8Array, Uint8Array];

function pairOf(changed: Elements, room: Elements): CopyPair {
  if (changed instanceof DeviceArray) {
    return [changed, (room as DeviceArray).as(changed.dtype).subarray(0, changed.length)];
  }
  const bytes = bytesOf(changed);
  return [bytes, bytesOf(room as TensorData).subarray(0, bytes.length)];
}

function bytesOf({ buffer, byteOffset, byteLength }: TensorData): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
