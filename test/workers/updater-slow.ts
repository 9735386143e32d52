import type { Updater } from '../../src/index.js';

/** An updater module that works for `input.data[0]` million steps: for ever, if that is infinite. */
const slow: Updater = (_, input, stored) => {
  const steps = input.data[0]! * 1e6;
  let x = 0;
  for (let i = 0; i < steps; i++) x = (x * 31 + i) % 1000;
  stored.fill(x < 0 ? -1 : 1);
};

export default slow;
