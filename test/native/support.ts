import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { cpus, kernelsFor, type Kernels } from '../../native/kernels.js';
import { dtypes, type DType } from '../../src/core/dtypes.js';

/** The reference and every compiled copy of the kernels that this machine can run. */
export const everyKernels: readonly Kernels[] = cpus.map(kernelsFor);
/** Those that are not the reference itself. */
export const compiledKernels = everyKernels.filter(({ name }) => name === 'native');

/** Dtypes that have update rules. */
export const floatTypes = ['float32', 'float64', 'float16', 'bfloat16'] as const;
export const types: readonly DType[] = dtypes.map(({ name }) => name);

/** Every length that a vector loop could get wrong, then those around tiles of 2 and 8 KiB. */
export const lengths: readonly number[] = [
  ...Array.from({ length: 131 }, (_, length) => length),
  ...[255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4097],
];

/** From one array to three groups of eight and more addresses than the addon keeps on its stack. */
export const counts: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 33, 65];

/** Checks a property with a seed that is printed; `TENSORKV_SEED` repeats a run. */
export function checkProperty<T>(
  t: ExecutionContext,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => void,
): void {
  const seed = Number(process.env['TENSORKV_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.log(`TENSORKV_SEED=${seed}`);
  fc.assert(fc.property(arbitrary, check), { seed });
  t.pass();
}

/** Throws a message that says where and for what, so that a loop needs no assertion per step. */
export function expect(condition: boolean, ...what: readonly unknown[]): void {
  if (!condition) throw new Error(`Broken for ${what.join(', ')}`);
}
