import { compressedBytes, type CompressionSpec } from '../src/core/compression.js';
import { DeviceArray, type Elements } from '../src/core/device-array.js';
import { dtypeOf } from '../src/core/dtypes.js';
import { KVStoreError, showKey } from '../src/core/errors.js';
import type { CompressionMode } from '../src/core/types.js';
import type { Kernels } from '../native/kernels.js';
import type { Entry, PushPart } from './entry.js';
import type { CompressionRule, Residuals, RoundValues } from './round-values.js';
import { isSamePlace, placeOf, type Purpose, type Workspace } from './workspace.js';

const nothing = (): void => undefined;

/**
 * Puts values through a codec before they are added, with error feedback: per device for each pushed
 * value, or per worker for the sum of its values. Only a round that is applied changes what is left.
 */
export class Compression {
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #mode: CompressionMode;
  #rule: CompressionRule | undefined;
  #settings = 0;

  constructor(kernels: Kernels, workspace: Workspace, mode: CompressionMode) {
    this.#kernels = kernels;
    this.#workspace = workspace;
    this.#mode = mode;
  }

  /** Whether stores of this type compress at all. */
  get isPossible(): boolean {
    return this.#mode !== 'none';
  }

  /** What pushes are compressed with from now on. */
  get rule(): CompressionRule | undefined {
    return this.#rule;
  }

  /** Sets a compression, or none; it starts with nothing left. Throws `unsupported`. */
  use(spec: CompressionSpec | undefined): void {
    if (spec !== undefined && this.#mode === 'none') {
      throw new KVStoreError(
        'unsupported',
        'gradient compression expected a store of type device or dist_*, got one of type local',
      );
    }
    this.#settings += 1;
    this.#rule = spec && { setting: this.#settings, spec };
  }

  /** Takes over what a checkpoint says is left of the gradients of `entry`. */
  restore(entry: Entry, residuals: ReadonlyMap<string, Elements>): void {
    this.#forget(entry, this.#settings);
    for (const [source, residual] of residuals) entry.residuals.set(source, residual);
  }

  /** Throws `unsupported` for a key whose pushes cannot be compressed. */
  admit({ key, like }: Entry, isSparse: boolean): void {
    if (this.#rule === undefined) return;
    if (isSparse) {
      const message = `${showKey(key)} expected dense values for gradient compression, got row-sparse`;
      throw new KVStoreError('unsupported', message, { key });
    }
    if (like.dtype === 'float32') return;
    throw new KVStoreError(
      'unsupported',
      `${showKey(key)} expected a float32 tensor for gradient compression, got ${like.dtype}`,
      { key },
    );
  }

  /** The values of a round, those of its ranks in order. Throws `memory_limit`. */
  round(entry: Entry, parts: readonly PushPart[]): RoundValues {
    if (parts.every(({ compression }) => compression === undefined)) {
      return { inputs: parts.flatMap(({ values }) => values), end: nothing };
    }
    const round = new CompressedRound(this.#kernels, this.#workspace, entry);
    try {
      for (const part of parts) this.#add(round, entry, part);
    } catch (error) {
      round.end(false);
      throw error;
    }
    return round;
  }

  #add(round: CompressedRound, entry: Entry, part: PushPart): void {
    const { compression, values, devices, ticket } = part;
    if (compression === undefined) return round.addPlain(values);
    if (entry.residualSetting !== compression.setting) this.#forget(entry, compression.setting);
    if (this.#mode === 'workers') {
      round.add(compression.spec, `worker${ticket.rank}`, round.sum(values));
    } else {
      values.forEach((value, i) => round.add(compression.spec, devices[i]!, value));
    }
  }

  #forget(entry: Entry, setting: number): void {
    for (const residual of entry.residuals.values()) this.#workspace.release(residual);
    entry.residuals.clear();
    entry.residualSetting = setting;
  }
}

type Floats = Float32Array | DeviceArray;
type Codes = Uint8Array | DeviceArray;

/** One round of one key on its way through a codec. */
class CompressedRound implements RoundValues {
  readonly inputs: Elements[] = [];
  readonly isCompressed = true;
  readonly #kernels: Kernels;
  readonly #workspace: Workspace;
  readonly #entry: Entry;
  /** What will be left once the round is applied. */
  readonly #left: Residuals = new Map();
  /** Buffers of the round alone. */
  readonly #borrowed: Elements[] = [];

  constructor(kernels: Kernels, workspace: Workspace, entry: Entry) {
    this.#kernels = kernels;
    this.#workspace = workspace;
    this.#entry = entry;
  }

  addPlain(values: readonly Elements[]): void {
    this.inputs.push(...values);
  }

  /** The sum of `values` in a buffer of the round. */
  sum(values: readonly Elements[]): Elements {
    if (values.length === 1) return values[0]!;
    const sum = this.#borrow('the sum of a worker');
    this.#kernels.reduceSum(values, sum, 'float32');
    return sum;
  }

  /** Adds a value of `source` as its codes give it. */
  add(spec: CompressionSpec, source: string, value: Elements): void {
    const out = this.#borrow('compressed gradients');
    const place = placeOf(value);
    let left = this.#left.get(source);
    const residual = left ?? this.#entry.residuals.get(source);
    if (left === undefined) {
      left = this.#workspace.take({ ...this.#purpose('what compression leaves out'), place });
      this.#left.set(source, left);
    }
    if (residual === undefined) this.#kernels.clear(left);
    if (isSamePlace(place, placeOf(out))) {
      const inputs = [value, residual ?? left] as [Floats, Floats];
      this.#kernels.quantize(spec, inputs, left as Floats, out as Floats);
    } else {
      if (residual !== undefined && residual !== left) this.#kernels.copy(residual, [left]);
      this.#send(spec, value as Floats, left as Floats, out as Floats);
    }
    this.inputs.push(out);
  }

  /** Makes the codes where the value is: they are what moves to where the key is. */
  #send(spec: CompressionSpec, value: Floats, left: Floats, out: Floats): void {
    const length = compressedBytes(spec.type, value.length);
    const purpose = { ...this.#purpose('codes of gradients'), place: placeOf(value) };
    const codes = this.#workspace.take({ ...purpose, dtype: 'uint8', length }) as Codes;
    this.#borrowed.push(codes);
    this.#kernels.encode(spec, value, left, codes);
    this.#kernels.decode(spec, codes, out);
  }

  end(applied: boolean): void {
    for (const [source, left] of this.#left) {
      const old = applied ? this.#entry.residuals.get(source) : left;
      if (applied) this.#entry.residuals.set(source, left);
      if (old !== undefined) this.#give(old);
    }
    for (const data of this.#borrowed) this.#give(data);
    this.#left.clear();
    this.#borrowed.length = 0;
  }

  #borrow(what: string): Elements {
    const data = this.#workspace.take(this.#purpose(what));
    this.#borrowed.push(data);
    return data;
  }

  #give(data: Elements): void {
    const dtype = data instanceof DeviceArray ? data.dtype : dtypeOf(data)!;
    this.#workspace.give({ dtype, length: data.length, place: placeOf(data) }, data);
  }

  #purpose(what: string): Purpose {
    const { key, stored, like } = this.#entry;
    const name = `${what} of ${showKey(key)}`;
    return { dtype: 'float32', length: stored.length, place: like.device, what: name, key };
  }
}
