import { cpu, type Device } from '../src/core/devices.js';
import { DeviceArray, type Elements } from '../src/core/device-array.js';
import { deviceBackend } from '../src/core/device-backend.js';
import { dtypeInfo, type DType } from '../src/core/dtypes.js';
import { KVStoreError } from '../src/core/errors.js';
import type { Key } from '../src/core/keys.js';
import type { MemoryBudget } from '../src/core/memory.js';
import { newElements } from '../src/core/tensor.js';

/** Where a buffer lies: beside what it belongs to. */
export type Place = Pick<Device, 'type' | 'index'>;

/** Memory of the CPU. */
export const onCpu: Place = cpu(0);

/** Where elements lie. */
export function placeOf(data: Elements): Place {
  return data instanceof DeviceArray ? { type: 'cuda', index: data.device } : onCpu;
}

/** Whether two places are in the same memory. */
export function isSamePlace(a: Place, b: Place): boolean {
  return a.type === b.type && (a.type === 'cpu' || a.index === b.index);
}

/** What a buffer is for. */
export interface Purpose {
  readonly dtype: DType;
  readonly length: number;
  readonly place: Place;
  /** Names it in the message of `memory_limit`. */
  readonly what: string;
  readonly key: Key;
}

/** Buffers of the store beside the stored tensors, counted against its budget before they are made. */
export class Workspace {
  readonly #budget: MemoryBudget;
  /** Buffers for sums that an updater function reads, free to use again, by dtype, length and place. */
  readonly #free = new Map<string, Elements[]>();
  /** One buffer a dtype and place for what ends within one update. */
  readonly #scratch = new Map<string, Elements>();

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** A buffer of zeros of its own. Throws `memory_limit`. */
  reserve({ dtype, length, place, what, key }: Purpose): Elements {
    const bytes = length * dtypeInfo(dtype).bytes;
    this.#budget.reserve(bytes, what, key);
    try {
      return newElements(dtype, length, place);
    } catch (error) {
      this.#budget.release(bytes);
      if (!(error instanceof KVStoreError)) throw error;
      throw new KVStoreError(error.code, `${what}: ${error.message}`, { key, cause: error });
    }
  }

  /** Gives the bytes of a buffer back that nobody uses any more. */
  release(data: Elements): void {
    this.#budget.release(data.byteLength);
    if (data instanceof DeviceArray) deviceBackend().discard(data);
  }

  /** A buffer that was given back, or a new one; its contents are anything. */
  take(purpose: Purpose): Elements {
    return this.#free.get(kindOf(purpose))?.pop() ?? this.reserve(purpose);
  }

  /** Keeps a buffer for the next `take` of the same kind. */
  give(purpose: Omit<Purpose, 'what' | 'key'>, data: Elements): void {
    const free = this.#free.get(kindOf(purpose));
    if (free) free.push(data);
    else this.#free.set(kindOf(purpose), [data]);
  }

  /** Room that is overwritten by the next caller, with at least `length` elements. */
  scratch(purpose: Purpose): Elements | undefined {
    if (purpose.length === 0) return undefined;
    const kind = kindOf({ ...purpose, length: 0 });
    const known = this.#scratch.get(kind);
    if (known !== undefined && known.length >= purpose.length) return known;
    const larger = this.reserve(purpose);
    if (known !== undefined) this.release(known);
    this.#scratch.set(kind, larger);
    return larger;
  }

  /** Gives back what nobody uses at the moment. */
  clear(): void {
    for (const data of [...this.#free.values()].flat()) this.release(data);
    for (const data of this.#scratch.values()) this.release(data);
    this.#free.clear();
    this.#scratch.clear();
  }
}

function kindOf({ dtype, length, place }: Omit<Purpose, 'what' | 'key'>): string {
  return place.type === 'cpu' ? `${dtype} ${length}` : `${dtype} ${length} ${place.index}`;
}
