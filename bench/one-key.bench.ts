import { showCount } from './arrays.js';
import type { Bench } from './harness.js';
import { prepareSteps } from './step/variants.js';

/** What does it cost devices to meet at a key, when there is next to nothing to add? */
export const bench: Bench = {
  name: 'one-key',
  question: 'How long does a step over one small key take, when every device waits for the others?',
  sizes: { smoke: [1024], full: [1024] },
  setup: (length, { devices }) =>
    prepareSteps([length], devices, `1 tensor of ${showCount(length)} float32`),
};
