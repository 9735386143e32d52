import type { CompressionSpec } from '../../src/core/compression.js';
import type { DeviceArray } from '../../src/core/device-array.js';
import type { DType } from '../../src/core/dtypes.js';
import type { Scalar } from '../../src/core/elementwise.js';
import { codeOf } from '../dtype-codes.js';
import { operationCodes } from './operations.js';

/** What a CUDA device is asked to do; operations.ts and operations.h explain it. */
export interface Operation {
  readonly code: keyof typeof operationCodes;
  readonly dtype: DType;
  readonly to?: DType;
  readonly length: number;
  /** The number of the update rule. */
  readonly rule?: number;
  readonly rowLength?: number;
  readonly codec?: CompressionSpec;
  readonly scalar?: Scalar;
  readonly stored?: DeviceArray;
  readonly master?: DeviceArray | undefined;
  readonly scratch?: DeviceArray | undefined;
  readonly average?: DeviceArray | undefined;
  readonly rows?: DeviceArray | undefined;
  readonly inputs?: readonly DeviceArray[];
  readonly outs?: readonly DeviceArray[];
  readonly slots?: readonly DeviceArray[];
  readonly hyper?: Float64Array;
}

/** All arrays of an operation. */
export function arraysOf(operation: Operation): DeviceArray[] {
  const { stored, master, scratch, average, rows } = operation;
  const { inputs = [], outs = [], slots = [] } = operation;
  const single = [stored, master, scratch, average, rows].filter((each) => each !== undefined);
  return [...single, ...inputs, ...outs, ...slots];
}

/** Writes operations one behind the other. */
export class OperationWords {
  #words = new Float64Array(1024);
  #used = 0;

  /** The words written since `clear`. */
  get words(): Float64Array {
    return this.#words.subarray(0, this.#used);
  }

  clear(): void {
    this.#used = 0;
  }

  add(operation: Operation): void {
    const { dtype, to = dtype, length, rule = 0, rowLength = 0, codec, scalar = 0 } = operation;
    const { inputs = [], outs = [], slots = [], hyper = noHyper } = operation;
    this.#makeRoom(32 + 2 * (inputs.length + outs.length + slots.length) + hyper.length);
    this.#put(operationCodes[operation.code], codeOf(dtype), codeOf(to), length);
    this.#put(rule, rowLength, codec?.type === '2bit' ? 1 : 0, codec?.threshold ?? 0);
    this.#putScalar(scalar);
    this.#put(inputs.length, outs.length, slots.length, hyper.length);
    const { stored, master, scratch, average, rows } = operation;
    for (const each of [stored, master, scratch, average, rows]) this.#putArray(each);
    for (const each of inputs) this.#putArray(each);
    for (const each of outs) this.#putArray(each);
    for (const each of slots) this.#putArray(each);
    this.#words.set(hyper, this.#used);
    this.#used += hyper.length;
  }

  #put(a: number, b: number, c: number, d: number): void {
    const words = this.#words;
    words[this.#used++] = a;
    words[this.#used++] = b;
    words[this.#used++] = c;
    words[this.#used++] = d;
  }

  #putScalar(scalar: Scalar): void {
    const isWhole = typeof scalar === 'bigint' || Number.isInteger(scalar);
    const bits = isWhole ? BigInt.asIntN(64, BigInt(scalar)) : 0n;
    this.#words[this.#used++] = Number(scalar);
    this.#words[this.#used++] = Number(bits & 0xffffffffn);
    this.#words[this.#used++] = Number(bits >> 32n);
  }

  #putArray(array: DeviceArray | undefined): void {
    this.#words[this.#used++] = array?.id ?? 0;
    this.#words[this.#used++] = array?.byteOffset ?? 0;
  }

  #makeRoom(count: number): void {
    if (this.#used + count <= this.#words.length) return;
    const larger = new Float64Array(2 * (this.#words.length + count));
    larger.set(this.#words);
    this.#words = larger;
  }
}

const noHyper = new Float64Array(0);
