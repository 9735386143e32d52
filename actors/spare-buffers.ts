import { showKey } from '../src/core/errors.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry } from './entry.js';
import type { Pins } from './pins.js';
import type { Purpose, Workspace } from './workspace.js';

/** The other buffer of a key: for updates that must not be seen before they are done. */
export class SpareBuffers {
  readonly #kernels: Kernels;
  readonly #pins: Pins;
  readonly #workspace: Workspace;
  /** Entries that may have one. */
  readonly #spared = new Set<Entry>();

  constructor(kernels: Kernels, pins: Pins, workspace: Workspace) {
    this.#kernels = kernels;
    this.#pins = pins;
    this.#workspace = workspace;
  }

  /**
   * Makes one, unless `entry` has one that may be written or is stored row-sparse. Throws
   * `memory_limit`.
   */
  prepare(entry: Entry): void {
    if (entry.rows !== undefined) return;
    if (entry.spare !== undefined && !this.#pins.isPinned(entry.spare)) return;
    const spare = this.#workspace.reserve(bufferOf(entry, 'the update buffer'));
    this.release(entry);
    entry.spare = spare;
    this.#spared.add(entry);
  }

  /** Whether views hold the stored tensor, so that it must not be written. */
  isPinned(entry: Entry): boolean {
    return this.#pins.isPinned(entry.stored);
  }

  /** Moves a stored tensor that views hold to another buffer, so that it may be written. */
  detach(entry: Entry): void {
    if (!this.isPinned(entry)) return this.trim(entry);
    this.prepare(entry);
    this.#kernels.copy(entry.stored, [entry.spare!]);
    this.swap(entry);
  }

  /** The spare buffer becomes the stored tensor, and the other way round. */
  swap(entry: Entry): void {
    const { stored } = entry;
    entry.stored = entry.spare!;
    entry.spare = stored;
  }

  /** Gives the spare buffer up; views may still hold it. */
  release(entry: Entry): void {
    if (entry.spare === undefined) return;
    // As long as something is kept back for its device, a refusal may put the key back into it.
    if (entry.cudaDevice !== undefined) this.#kernels.flush(entry.cudaDevice);
    const { spare } = entry;
    entry.spare = undefined;
    if (this.#pins.isPinned(spare)) this.#pins.orphan(spare);
    else this.#workspace.release(spare);
  }

  /** Gives the spare buffer up where nothing but views could need it, and none does. */
  trim(entry: Entry): void {
    if (entry.spare === undefined || entry.pending !== undefined || this.isPinned(entry)) return;
    if (!this.#pins.isPinned(entry.spare)) this.release(entry);
  }

  /** As `trim`, of all entries. Returns those that have given one up. */
  trimAll(): Entry[] {
    const trimmed: Entry[] = [];
    if (!this.#pins.takeFreed()) return trimmed;
    for (const entry of this.#spared) {
      const { spare } = entry;
      this.trim(entry);
      if (entry.spare !== undefined) continue;
      this.#spared.delete(entry);
      if (spare !== undefined) trimmed.push(entry);
    }
    return trimmed;
  }
}

/** A buffer like the stored tensor of `entry`. */
export function bufferOf({ key, like, stored }: Entry, what: string): Purpose {
  const name = `${what} of ${showKey(key)}`;
  return { dtype: like.dtype, length: stored.length, place: like.device, what: name, key };
}
