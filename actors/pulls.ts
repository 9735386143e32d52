import type { Elements } from '../src/core/device-array.js';
import { computeDtype, dtypeInfo, type DType } from '../src/core/dtypes.js';
import { toFailure, type Failure } from '../src/core/errors.js';
import { setNumbers } from '../src/core/int64.js';
import { allocate } from '../src/core/memory.js';
import { sizeOf } from '../src/core/shape.js';
import type { PinnedTensor } from '../src/core/protocol.js';
import { arrayOf, newElements, type TensorHandle } from '../src/core/tensor.js';
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
    ticket.views[freshIndex] = shownOf(entry, entry.stored, entry.version, this.#pins);
    this.#pins.pin(ticket.rank, entry, entry.stored);
  }

  /** Writes some rows to the outs, or to a fresh row-sparse tensor. */
  #writeRows(entry: Entry, { ticket, outs, freshIndex }: PullPart, asked: RowIds): void {
    const { rows: held, like, rowLength } = entry;
    const { dtype, shape, device } = like;
    const ids = asked === 'held' ? heldIds(entry) : asked;
    const positions = held === undefined ? ids : held.find(ids);
    const gather = (into?: Elements): Elements => {
      const rows = into ?? newElements(dtype, ids.length * rowLength, device);
      this.#kernels.gatherRows(entry.stored, positions, rows, rowLength * dtypeInfo(dtype).bytes);
      return rows;
    };
    if (outs.length === 0) {
      const rows = { shape: entry.shapeOf(ids.length), dtype, device, data: gather() };
      ticket.fresh[freshIndex] = { shape, indices: ids, rows };
    }
    for (const out of outs) {
      if (out.dtype === dtype) gather(arrayOf(out));
      else this.#kernels.cast(gather(), arrayOf(out), dtype, out.dtype);
    }
  }

  #write(entry: Entry, { ticket, outs, freshIndex, average }: PullPart): void {
    const source = average ? this.#updates.averageOf(entry) : entry.stored;
    const dtype = source === entry.stored ? entry.like.dtype : computeDtype(entry.like.dtype);
    const targets = [...outs];
    if (outs.length === 0) {
      const { dtype: stored, shape, device } = entry.like;
      const fresh = entry.handleOn(newElements(stored, sizeOf(shape), device));
      ticket.fresh[freshIndex] = fresh;
      targets.push(fresh);
    }
    if (entry.rows !== undefined) return this.#spread(entry, { source, dtype }, targets);
    const same = targets.filter((out) => out.dtype === dtype).map(arrayOf);
    const others = targets.filter((out) => out.dtype !== dtype);
    if (same.length > 0) this.#kernels.copy(source, same);
    for (const out of others) this.#kernels.cast(source, arrayOf(out), dtype, out.dtype);
  }

  /** Writes the rows that are held to whole tensors, zeros elsewhere. */
  #spread(
    entry: Entry,
    { source, dtype }: { readonly source: Elements; readonly dtype: DType },
    targets: readonly TensorHandle[],
  ): void {
    const held = entry.heldPart(source);
    const ids = entry.rows!.ids();
    for (const out of targets) {
      let rows = held;
      if (out.dtype !== dtype) {
        rows = newElements(out.dtype, held.length, entry.like.device);
        this.#kernels.cast(held, rows, dtype, out.dtype);
      }
      const into = arrayOf(out);
      this.#kernels.clear(into);
      const rowBytes = entry.rowLength * dtypeInfo(out.dtype).bytes;
      this.#kernels.scatterRows(rows, ids, into, rowBytes);
    }
  }
}

/** What a device is told of a view on `data`, a buffer of `entry`. */
export function shownOf(entry: Entry, data: Elements, version: number, pins: Pins): PinnedTensor {
  const { stored, spare, order } = entry;
  const pin = pins.numberOf(data);
  const tensor = entry.handleOn(data);
  const another = data === stored ? spare : stored;
  if (another === undefined) return { key: order, tensor, version, pin };
  const other = { tensor: entry.handleOn(another), pin: pins.numberOf(another) };
  return { key: order, tensor, version, pin, other };
}

type RowIds = NonNullable<PullPart['rowIds']>;

/** The ids of all rows that `entry` holds, ascending. */
function heldIds({ rows, like }: Entry): BigInt64Array {
  if (rows !== undefined) return rows.ascending();
  const ids = allocate('int64', like.shape[0] ?? 0) as BigInt64Array;
  setNumbers(ids, Float64Array.from(ids.keys()));
  return ids;
}
