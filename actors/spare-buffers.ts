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

  constructor(kernels: Kernels, pins: Pins, workspace: Workspace) {
    this.#kernels = kernels;
    this.#pins = pins;
    this.#workspace = workspace;
  }

  /** Makes one, unless `entry` has one or is stored row-sparse. Throws `memory_limit`. */
  prepare(entry: Entry): void {
    if (entry.rows !== undefined) return;
    entry.spare ??= this.#workspace.reserve(bufferOf(entry, 'the update buffer'));
  }

  /** Whether views hold the stored tensor, so that it must not be written. */
  isPinned(entry: Entry): boolean {
    return this.#pins.isPinned(entry.stored);
  }

  /** Moves a stored tensor that views hold to another buffer, so that it may be written. */
  detach(entry: Entry): void {
    if (!this.isPinned(entry)) return;
    this.prepare(entry);
    this.#kernels.copy(entry.stored, [entry.spare!]);
    this.swap(entry);
  }

  /** The spare buffer becomes the stored tensor, and the other way round unless views hold it. */
  swap(entry: Entry): void {
    const { stored } = entry;
    const isPinned = this.isPinned(entry);
    entry.stored = entry.spare!;
    if (isPinned) this.#pins.orphan(stored);
    entry.spare = isPinned ? undefined : stored;
  }

  /** Gives the spare buffer up. */
  release(entry: Entry): void {
    if (entry.spare !== undefined) this.#workspace.release(entry.spare);
    entry.spare = undefined;
  }
}

/** A buffer like the stored tensor of `entry`. */
export function bufferOf({ key, like, stored }: Entry, what: string): Purpose {
  return { dtype: like.dtype, length: stored.length, what: `${what} of ${showKey(key)}`, key };
}
