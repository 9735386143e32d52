import type { Elements } from '../src/core/device-array.js';
import type { MemoryBudget } from '../src/core/memory.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Entry } from './entry.js';
import type { Pins } from './pins.js';

/** What updates need of the coordinator around them. */
export interface UpdateContext {
  readonly budget: MemoryBudget;
  readonly pins: Pins;
  /** Called when an option of the optimizer has changed by itself. */
  changed(): void;
}

/** What a dense tensor is. */
export type DenseLike = Pick<TensorHandle, 'dtype' | 'shape'>;

/** What an optimizer remembers of a key. */
export type KeyState = Readonly<Pick<Entry, 'count' | 'counters'>> & {
  readonly slots: ReadonlyMap<string, Elements>;
};
