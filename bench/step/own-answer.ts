import type { Variant } from '../harness.js';

/** A variant that works on another problem than those beside it, and has its own right answer. */
export function ofItsOwn<T extends { readonly variant: Variant }>(steps: T, expected: string): T {
  const { check } = steps.variant;
  const answer = 'answer' in check ? check.answer : () => '';
  const holds = async (): Promise<boolean> => (await answer()) === expected;
  return { ...steps, variant: { ...steps.variant, check: { holds } } };
}
