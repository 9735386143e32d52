import test from 'ava';
import { firstDifference, guardedCopy, randoms } from '../helpers/floats.js';
import type { StepArguments } from '../../native/kernels.js';
import * as reference from '../../native/reference.js';
import { everyKernels } from './support.js';

// Every kind of memory that tensors live on reaches C++ as one address and one length.
const memories = {
  ArrayBuffer: (bytes: number) => new ArrayBuffer(bytes),
  SharedArrayBuffer: (bytes: number) => new SharedArrayBuffer(bytes),
  'growable SharedArrayBuffer': (bytes: number) => {
    const buffer = new SharedArrayBuffer(64, { maxByteLength: bytes + 4096 });
    buffer.grow(bytes);
    return buffer;
  },
};

for (const kernels of everyKernels) {
  for (const [name, allocate] of Object.entries(memories)) {
    for (const offset of [0, 1, 3]) {
      test(`every kernel works on a ${name}: ${kernels.cpu}, offset ${offset}`, (t) => {
        const array = (seed: number) =>
          guardedCopy(randoms(1003, seed, 'float32'), offset, 'float32', allocate);
        const [a, b, stored, momentum] = [array(1), array(2), array(3), array(4)];
        const [w, m] = [stored.data.slice(), momentum.data.slice()];
        const step = (w: Float32Array, m: Float32Array): StepArguments => ({
          dtype: 'float32',
          shape: [1003],
          inputs: [a.data, b.data],
          stored: w,
          slots: [m],
          hyper: Float64Array.of(0.5, 1, 0.1, 0, 0.1, 0.9),
        });
        reference.step('sgdMomentum', step(w, m));

        kernels.step('sgdMomentum', step(stored.data, momentum.data));
        t.is(firstDifference(stored.data, w), -1);
        t.is(firstDifference(momentum.data, m), -1);

        reference.reduceSum([a.data, w], m);
        kernels.reduceSum([a.data, stored.data], momentum.data);
        t.is(firstDifference(momentum.data, m), -1);

        kernels.copy(a.data, [b.data, stored.data]);
        t.is(firstDifference(b.data, a.data), -1);
        t.is(firstDifference(stored.data, a.data), -1);

        const truncated = guardedCopy(new Int32Array(1003), offset, 'int32', allocate);
        const expected = new Int32Array(1003);
        reference.cast(a.data, expected);
        kernels.cast(a.data, truncated.data);
        t.is(firstDifference(truncated.data, expected), -1);
        t.true([a, b, stored, momentum, truncated].every((guarded) => guarded.isIntact()));
      });
    }
  }
}
