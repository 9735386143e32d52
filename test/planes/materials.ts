import type { AnyTensor, RowSparseTensor } from '../../src/index.js';
import type { Reading } from './outcomes.js';
import { isOneByOne, kindOf, type KeyKind, type Program, type Step } from './program.js';
import { ofOtherDtype, Pool, someRows, type Place } from './tensors.js';

export type Value = AnyTensor | RowSparseTensor;

/** A call over keys: what it pushes, where it pulls to. */
export interface KeyCall {
  readonly method: 'push' | 'pull' | 'pushpull';
  readonly keys: readonly number[];
  readonly values?: readonly (readonly Value[])[];
  readonly outs?: readonly (readonly AnyTensor[])[];
  readonly options: { readonly priority?: number; readonly view?: boolean };
}

/**
 * Makes the tensors of a program's calls. A call has some of its own, which its keys share, and uses
 * some that its device has for each key, whoever else of the device's calls on the key does.
 */
export class Materials {
  readonly #program: Program;
  readonly #place: Place;
  readonly #pools = new Map<string, Pool>();
  readonly #again = new Map<number, KeyCall>();
  #calls = 0;

  constructor(program: Program, place: Place) {
    this.#program = program;
    this.#place = place;
  }

  /** What all tensors hold. */
  readings(): (readonly [string, Reading[]])[] {
    return [...this.#pools.values()].map((pool) => [pool.name, pool.readings()]);
  }

  kind(key: number): KeyKind {
    return kindOf(key, this.#program);
  }

  /** Tensor `pick` that `device` has for `key`. */
  ofKey(device: number, key: number, pick: number): AnyTensor {
    const pool = this.#pool(`device ${device} key ${key}`, device * 100 + key);
    return pool.get(pick, this.kind(key));
  }

  /** What a rank inits a key with; rank 0's counts. */
  initial(rank: number, key: number): Value {
    const kind = this.kind(key);
    if (kind.isSparse) return someRows(kind, [1, 4], this.#program.seed, this.#place);
    return this.#pool(rank === 0 ? 'init' : 'init of others', rank).get(key + 5, kind);
  }

  rows(key: number, picks: readonly number[]): RowSparseTensor {
    this.#calls += 1;
    const seed = this.#program.seed + this.#calls;
    return someRows(this.kind(key), picks, seed, this.#place);
  }

  /** A plain push that completes a round. */
  completing(device: number, key: number): readonly Value[] {
    return [this.kind(key).isSparse ? this.rows(key, [2]) : this.ofKey(device, key, 1)];
  }

  /** The call that a step makes on `keys`. */
  call(device: number, keys: readonly number[], step: Step): KeyCall {
    const { operation, picks, priority } = step;
    const options = priority === 0 ? {} : { priority };
    const pool = this.#pool(`call ${this.#calls}`, this.#calls + 1000);
    this.#calls += 1;
    const inPlace = operation === 'inPlace';
    // Where pushes are applied one by one, the keys of a call end at different times: what is written to
    // one key's tensors must not be another's.
    const mayShare = !isOneByOne(this.#program);
    const values = keys.map((key, i) => {
      if (this.kind(key).isSparse) return [this.rows(key, picks)];
      const count = 1 + ((picks[2]! + i) % 3);
      return picks.slice(0, count).map((pick) => {
        const which = (pick + i) % (inPlace && !mayShare ? 3 : 6);
        return inPlace
          ? this.#out(pool, device, key, which)
          : this.#value(pool, device, key, which);
      });
    });
    const outs = (isShared: boolean): AnyTensor[][] =>
      keys.map((key, i) => {
        const list = picks.slice(1, 2 + (picks[0]! % 2)).map((pick) => {
          const which = (pick + i) % (isShared ? 6 : 3);
          return this.#out(pool, device, key, which);
        });
        if (picks[0]! < 5) return list;
        return [...list, pool.add(`cast ${i}`, ofOtherDtype(this.kind(key), picks[1]! + i))];
      });
    switch (operation) {
      case 'push':
        return { method: 'push', keys, values, options };
      case 'pushpull':
        return {
          method: 'pushpull',
          keys,
          values,
          outs: outs(mayShare),
          options,
        };
      case 'inPlace':
        return { method: 'pushpull', keys, values, options };
      case 'pull': // Keys may be pulled at different times, so they share no tensors.
        return { method: 'pull', keys, outs: outs(false), options };
      default:
        return { method: 'pull', keys, options: { ...options, view: operation === 'view' } };
    }
  }

  /** A list that `device` pushes and pulls again and again: the same tensors each time. */
  again(device: number, keys: readonly number[]): KeyCall {
    const own = (key: number, pick: number): AnyTensor => this.ofKey(device, key, pick);
    const made = this.#again.get(device) ?? {
      method: 'pushpull',
      keys,
      values: keys.map((key) => [own(key, 0), own(key, 1)]),
      outs: keys.map((key) => [own(key, 2)]),
      options: {},
    };
    this.#again.set(device, made);
    return made;
  }

  #value(pool: Pool, device: number, key: number, which: number): AnyTensor {
    if (which === 2) return this.ofKey(device, key, 4);
    if (which < 3) return this.ofKey(device, key, which);
    return pool.get([0, 4, 1][which - 3]!, this.kind(key));
  }

  /** Outs share no elements with other outs, unless they are the same. */
  #out(pool: Pool, device: number, key: number, which: number): AnyTensor {
    if (which < 3) return this.ofKey(device, key, which);
    return pool.get([0, 1, 2][which - 3]!, this.kind(key));
  }

  #pool(name: string, seed: number): Pool {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const made = new Pool(name, this.#program.seed + seed, this.#place);
    this.#pools.set(name, made);
    return made;
  }
}
