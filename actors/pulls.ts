import { computeDtype, dtypeInfo, type TensorData } from '../src/core/dtypes.js';
import { toFailure, type Failure } from '../src/core/errors.js';
import { allocate } from '../src/core/memory.js';
import { sizeOf } from '../src/core/shape.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry, PullPart } from './entry.js';
import type { Pins } from './pins.js';
import type { UpdateRule } from './update-rule.js';

/** Gives devices what is stored: writes it to their outs, or pins it for a view. */
export class Pulls {
  readonly #kernels: Kernels;
  readonly #updates: UpdateRule;
  readonly #pins: Pins;

  constructor(kernels: Kernels, updates: UpdateRule, pins: Pins) {
    this.#kernels = kernels;
    this.#updates = updates;
    this.#pins = pins;
  }

  /** Serves one part of a pull, unless a push of the same call failed. */
  serve(entry: Entry, part: PullPart): Failure | undefined {
    const { ticket } = part;
    if (ticket.failure !== undefined) return undefined;
    try {
      if (part.rowIds !== undefined) this.#writeRows(entry, part, part.rowIds);
      else if (ticket.wantsViews) this.#view(entry, part);
      else this.#write(entry, part);
      return undefined;
    } catch (error) {
      return toFailure(error);
    }
  }

  #view(entry: Entry, { ticket, freshIndex }: PullPart): void {
    const { stored, version } = entry;
    const pin = this.#pins.pin(ticket.rank, stored);
    ticket.views[freshIndex] = { tensor: entry.handleOn(stored), version, pin };
  }

  /** Writes some rows to the outs, or to a fresh row-sparse tensor. */
  #writeRows(entry: Entry, { ticket, outs, freshIndex }: PullPart, rowIds: BigInt64Array): void {
    const { dtype, shape, device } = entry.like;
    const rowShape = shape.slice(1);
    const rowBytes = sizeOf(rowShape) * dtypeInfo(dtype).bytes;
    const gather = (): TensorData => {
      const rows = allocate(dtype, rowIds.length * sizeOf(rowShape));
      this.#kernels.gatherRows(entry.stored, rowIds, rows, rowBytes);
      return rows;
    };
    if (outs.length === 0) {
      const rows = { shape: [rowIds.length, ...rowShape], dtype, device, data: gather() };
      ticket.fresh[freshIndex] = { shape, indices: rowIds, rows };
    }
    for (const out of outs) {
      if (out.dtype === dtype) this.#kernels.gatherRows(entry.stored, rowIds, out.data, rowBytes);
      else this.#kernels.cast(gather(), out.data, dtype, out.dtype);
    }
  }

  #write(entry: Entry, { ticket, outs, freshIndex, average }: PullPart): void {
    const source = average ? this.#updates.averageOf(entry) : entry.stored;
    const dtype = source === entry.stored ? entry.like.dtype : computeDtype(entry.like.dtype);
    const same = outs.filter((out) => out.dtype === dtype).map((out) => out.data);
    const others = outs.filter((out) => out.dtype !== dtype);
    if (outs.length === 0) {
      const fresh = entry.handleOn(allocate(entry.like.dtype, source.length));
      ticket.fresh[freshIndex] = fresh;
      if (fresh.dtype === dtype) same.push(fresh.data);
      else others.push(fresh);
    }
    if (same.length > 0) this.#kernels.copy(source, same);
    for (const out of others) this.#kernels.cast(source, out.data, dtype, out.dtype);
  }
}
