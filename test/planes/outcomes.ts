import type { AnyTensor, DType, KVStoreError, RowSparseTensor } from '../../src/index.js';
import { viewOf } from '../../src/core/dtypes.js';
import { onHost } from '../../src/core/elements.js';
import { arrayOf } from '../../src/core/tensor.js';
import { firstDifference } from '../helpers/floats.js';

/** Elements as they were when somebody looked. */
export interface Reading {
  readonly name: string;
  readonly dtype: DType;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What came of one call. */
export interface Outcome {
  readonly what: string;
  /** The code of its error, `ok`, or what else there is to compare. */
  state: string;
  readings: readonly Reading[];
}

export function readingOf(name: string, tensor: AnyTensor): Reading {
  const data = onHost(arrayOf(tensor));
  const { dtype } = tensor;
  const bytes = new Uint8Array(data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { name, dtype, bytes };
}

export function rowReadings(name: string, { indices, rows }: RowSparseTensor): Reading[] {
  return [readingOf(`${name} (${indices.join()})`, rows)];
}

export function codeOf(error: unknown): string {
  const { code, message } = error as Partial<KVStoreError>;
  return code ?? `no code: ${message}`;
}

/** The first thing in which the outcomes of a program differ; undefined where they agree. */
export function difference(
  actual: readonly Outcome[],
  expected: readonly Outcome[],
): string | undefined {
  for (const [i, right] of expected.entries()) {
    if (/open|timeout|closed/.test(right.state)) return `${i} ${right.what}: ${right.state}`;
    const got = actual[i];
    if (got?.what !== right.what) return `call ${i}: ${got?.what}, not ${right.what}`;
    if (got.state !== right.state) return `${i} ${right.what}: ${got.state}, not ${right.state}`;
    for (const [j, reading] of right.readings.entries()) {
      const differs = readingDifference(got.readings[j], reading);
      if (differs !== undefined) return `${i} ${right.what}: ${differs}`;
    }
    if (got.readings.length > right.readings.length) return `${i} ${right.what}: more tensors`;
  }
  return actual.length > expected.length ? `more calls: ${actual.length}` : undefined;
}

function readingDifference(actual: Reading | undefined, expected: Reading): string | undefined {
  const { name, dtype, bytes } = expected;
  if (actual?.name !== name) return `${actual?.name}, not ${name}`;
  if (Buffer.compare(actual.bytes, bytes) === 0) return undefined;
  const [got, right] = [elementsOf(actual), elementsOf(expected)];
  const at = firstDifference(got, right, dtype);
  return at < 0 ? undefined : `${name}[${at}]: ${got[at]}, not ${right[at]}`;
}

function elementsOf({ dtype, bytes }: Reading) {
  const { BYTES_PER_ELEMENT } = viewOf(dtype, new ArrayBuffer(0) as never, 0, 0);
  return viewOf(dtype, bytes.buffer as never, 0, bytes.length / BYTES_PER_ELEMENT);
}
