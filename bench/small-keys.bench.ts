import { showCount } from './arrays.js';
import type { Bench } from './harness.js';
import { prepareSteps } from './step/variants.js';

const elementsOfKey = 64;

/** What does a key cost when it is so small that its elements cost nothing? */
export const bench: Bench = {
  name: 'small-keys',
  question: 'How long does a step over many small keys take, as one list?',
  sizes: { smoke: [50], full: [1000] },
  setup(keys, { devices }) {
    const sizes = Array.from({ length: keys }, () => elementsOfKey);
    return prepareSteps(sizes, devices, `${showCount(keys)} tensors of ${elementsOfKey} float32`);
  },
};
