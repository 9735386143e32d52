import { dtypeInfo, type DType, type TensorData } from '../src/core/dtypes.js';
import type { Key } from '../src/core/keys.js';
import { allocate, type MemoryBudget } from '../src/core/memory.js';

/** What a buffer is for. */
export interface Purpose {
  readonly dtype: DType;
  readonly length: number;
  /** Names it in the message of `memory_limit`. */
  readonly what: string;
  readonly key: Key;
}

/** Buffers of the store beside the stored tensors, counted against its budget before they are made. */
export class Workspace {
  readonly #budget: MemoryBudget;
  /** Buffers for sums that an updater function reads, free to use again, by dtype and length. */
  readonly #free = new Map<string, TensorData[]>();
  /** One buffer a dtype for what ends within one update. */
  readonly #scratch = new Map<DType, TensorData>();

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** A buffer of zeros of its own. Throws `memory_limit`. */
  reserve({ dtype, length, what, key }: Purpose): TensorData {
    const bytes = length * dtypeInfo(dtype).bytes;
    this.#budget.reserve(bytes, what, key);
    try {
      return allocate(dtype, length);
    } catch (error) {
      this.#budget.release(bytes);
      throw error;
    }
  }

  /** Gives the bytes of a buffer back that nobody uses any more. */
  release(data: TensorData): void {
    this.#budget.release(data.byteLength);
  }

  /** A buffer that was given back, or a new one; its contents are anything. */
  take(purpose: Purpose): TensorData {
    return this.#free.get(kindOf(purpose))?.pop() ?? this.reserve(purpose);
  }

  /** Keeps a buffer for the next `take` of the same kind. */
  give(purpose: Omit<Purpose, 'what' | 'key'>, data: TensorData): void {
    const free = this.#free.get(kindOf(purpose));
    if (free) free.push(data);
    else this.#free.set(kindOf(purpose), [data]);
  }

  /** Room that is overwritten by the next caller, with at least `length` elements. */
  scratch(purpose: Purpose): TensorData | undefined {
    if (purpose.length === 0) return undefined;
    const known = this.#scratch.get(purpose.dtype);
    if (known !== undefined && known.length >= purpose.length) return known;
    const larger = this.reserve(purpose);
    if (known !== undefined) this.release(known);
    this.#scratch.set(purpose.dtype, larger);
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

function kindOf({ dtype, length }: Omit<Purpose, 'what' | 'key'>): string {
  return `${dtype} ${length}`;
}
