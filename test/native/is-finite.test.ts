import test from 'ava';
import { codecOf } from '../../src/core/elements.js';
import { randoms, zeros } from '../helpers/floats.js';
import { everyKernels, expect, floatTypes, lengths, types } from './support.js';

const strangers = [NaN, Infinity, -Infinity];
const numbers = [0, -0, 1, -1e-40, 5e-324, 65504, -65504];

for (const kernels of everyKernels) {
  test(`isFinite finds a NaN or an infinity wherever it stands: ${kernels.cpu}`, (t) => {
    for (const type of floatTypes) {
      const { set } = codecOf(type);
      for (const length of [...lengths, 8191, 8192, 8193]) {
        const view = zeros(length, type);
        for (let i = 0; i < length; i++) set(view, i, numbers[i % numbers.length]!);
        expect(kernels.isFinite(view, type), type, length, 'numbers');
        const places = new Set([0, 1, length >> 1, length - 2, length - 1]);
        for (const at of places) {
          if (at < 0 || at >= length) continue;
          const before = view[at]!;
          for (const stranger of strangers) {
            set(view, at, stranger);
            expect(!kernels.isFinite(view, type), type, length, stranger, 'at', at);
          }
          view[at] = before;
        }
      }
    }
    t.pass();
  });

  test(`isFinite looks at no byte beside its view: ${kernels.cpu}`, (t) => {
    const all = new Float32Array(100).fill(NaN);
    for (const [begin, end] of [
      [1, 99],
      [3, 50],
      [7, 8],
    ] as const) {
      const view = all.subarray(begin, end).fill(1);
      t.true(kernels.isFinite(view));
      view.fill(NaN);
    }
  });

  test(`isFinite says what looking at each element says: ${kernels.cpu}`, (t) => {
    for (const type of types) {
      const { get } = codecOf(type);
      for (let seed = 0; seed < 200; seed++) {
        const view = randoms(seed % 12, seed, type);
        const each = Array.from({ length: view.length }, (_, i) => get(view, i));
        expect(kernels.isFinite(view, type) === each.every(Number.isFinite), type, seed);
      }
    }
    t.pass();
  });

  test(`isFinite refuses what it has no meaning for: ${kernels.cpu}`, (t) => {
    // Bits could be of either half type.
    const refused = [new Uint16Array(1), new Uint32Array(1), new DataView(new ArrayBuffer(8))];
    for (const each of refused) t.throws(() => kernels.isFinite(each as never));
    t.throws(() => kernels.isFinite(new Float32Array(1), 'float16'));
  });
}
