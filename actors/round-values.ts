import type { CompressionSpec } from '../src/core/compression.js';
import type { Elements } from '../src/core/device-array.js';

/** A compression in force, and which setting it comes from. */
export interface CompressionRule {
  readonly setting: number;
  readonly spec: CompressionSpec;
}

/** What is left of the gradients of one key, by whose they were. */
export type Residuals = Map<string, Elements>;

/** The values of a round as they are added. `end` is to be called once the round has ended. */
export interface RoundValues {
  readonly inputs: readonly Elements[];
  /** Set where the one input holds these rows alone: ascending, each once. */
  readonly rows?: BigInt64Array;
  /** Whether codecs have something left of it. */
  readonly isCompressed?: boolean;
  /** With `applied` what the codes left out is kept, else it is as it was before. */
  end(applied: boolean): void;
}
