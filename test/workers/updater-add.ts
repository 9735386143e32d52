import type { Updater } from '../../src/index.js';

/** An updater module: adds twice the sum, and throws when it is negative. */
const add: Updater = (key, input, stored) => {
  stored.add_(input, 2);
  if (input.toFloat32()[0]! < 0) throw new RangeError(`negative sum for ${key}`);
};

export default add;
