import type { Tensor } from '../../src/index.js';

/** Not an updater: it returns a promise. */
export default async function update(_key: unknown, input: Tensor, stored: Tensor): Promise<void> {
  stored.add_(input);
  await Promise.resolve();
  throw new Error('too late to be heard');
}
