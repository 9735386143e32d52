import { allocateOn, DeviceArray } from '../../src/core/device-array.js';
import { onHost } from '../../src/core/elements.js';
import { setNumbers, toNumbers } from '../../src/core/int64.js';
import type { AnyTypedArray, KernelFunctions, RowList } from '../types.js';
import { discard, enqueue } from './queue.js';
import { onDevice, transfer } from './staging.js';

type Rows = Pick<KernelFunctions<DeviceArray>, 'sumRows' | 'gatherRows' | 'scatterRows'>;
type AnyArray = AnyTypedArray | DeviceArray;

/** The kernels of rows, wherever those live; ids and positions are on the CPU. */
export function routedRows(cpu: KernelFunctions): Rows {
  return {
    sumRows(inputs, out, rowLength, dtype) {
      if (!(out.rows instanceof DeviceArray)) {
        const here = inputs.map(({ ids, rows }) => ({ ids, rows: onHost(rows) }));
        return cpu.sumRows(here, { ids: out.ids, rows: out.rows }, rowLength, dtype);
      }
      sumRows(inputs, { ids: out.ids, rows: out.rows }, rowLength);
    },
    gatherRows(source, positions, out, rowBytes) {
      if (!(out instanceof DeviceArray) && !(source instanceof DeviceArray)) {
        return cpu.gatherRows(source, positions, out, rowBytes);
      }
      if (positions.length === 0 || rowBytes === 0) return;
      gather(source, positions, out, rowBytes);
    },
    scatterRows(source, positions, target, rowBytes) {
      if (!(target instanceof DeviceArray)) {
        return cpu.scatterRows(hostBytes(source), positions, target, rowBytes);
      }
      if (positions.length === 0 || rowBytes === 0) return;
      move('scatterRows', target, { source, positions, rowBytes, out: target });
    },
  };
}

/** Gathers where the source lives: it may be far larger than what is asked for. */
function gather(source: AnyArray, positions: BigInt64Array, out: AnyArray, rowBytes: number): void {
  const at = (source instanceof DeviceArray ? source : out) as DeviceArray;
  if (out instanceof DeviceArray && out.device === at.device) {
    return move('gatherRows', at, { source, positions, out, rowBytes });
  }
  const rows = allocateOn(at.device, at.dtype, out.length);
  move('gatherRows', at, { source, positions, out: rows, rowBytes });
  transfer(rows, out);
  discard(rows);
}

/** What moves rows between two arrays. */
interface Move {
  readonly source: AnyArray;
  readonly positions: BigInt64Array;
  readonly out: AnyArray;
  readonly rowBytes: number;
}

function move(
  code: 'gatherRows' | 'scatterRows',
  { device, dtype }: DeviceArray,
  { source, positions, out, rowBytes }: Move,
): void {
  enqueue(device, {
    code,
    dtype,
    length: positions.length,
    rowLength: rowBytes,
    rows: onDevice(positions, device, 'int64'),
    inputs: [onDevice(source, device, dtype)],
    outs: [out as DeviceArray],
  });
}

function hostBytes(array: AnyArray): AnyTypedArray {
  return array instanceof DeviceArray ? onHost(array) : array;
}

function sumRows(
  inputs: readonly RowList<DeviceArray>[],
  out: { readonly ids: BigInt64Array; readonly rows: DeviceArray },
  rowLength: number,
): void {
  const { device, dtype } = out.rows;
  const { length } = out.ids;
  if (length === 0 || rowLength === 0) return;
  enqueue(device, {
    code: 'sumRows',
    dtype,
    length,
    rowLength,
    rows: onDevice(piecesOf(inputs, out.ids), device, 'int64'),
    inputs: inputs.map(({ rows }) => onDevice(rows, device, dtype)),
    outs: [out.rows],
  });
}

/**
 * Which rows make up each sum: `ids.length + 1` starts, counted in pieces, then two words a piece: which
 * input, which of its rows.
 */
function piecesOf(inputs: readonly RowList<DeviceArray>[], ids: BigInt64Array): BigInt64Array {
  const lists = inputs.map((input) => toNumbers(input.ids));
  const next = lists.map(() => 0);
  const starts: number[] = [0];
  const pieces: number[] = [];
  for (const id of toNumbers(ids)) {
    for (const [k, list] of lists.entries()) {
      while (next[k]! < list.length && list[next[k]!]! < id) next[k]! += 1;
      if (list[next[k]!] === id) pieces.push(k, next[k]!);
    }
    starts.push(pieces.length / 2);
  }
  const words = new BigInt64Array(starts.length + pieces.length);
  setNumbers(words, Float64Array.from([...starts, ...pieces]));
  return words;
}
