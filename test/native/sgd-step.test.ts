import test from 'ava';
import fc from 'fast-check';
import type { Kernels, SgdHyper } from '../../native/kernels.js';
import * as reference from '../../native/reference.js';
import { firstDifference, guardedCopy, randoms } from '../helpers/floats.js';
import { checkProperty, counts, everyKernels, expect, floatTypes, lengths } from './support.js';

const plain: SgdHyper = {
  lr: 0.1,
  momentum: 0.9,
  wd: 0,
  rescaleGrad: 1,
  clipGradient: undefined,
};

const hypers: readonly SgdHyper[] = [
  plain,
  { ...plain, wd: 1e-4, rescaleGrad: 1 / 3 },
  { ...plain, clipGradient: 0.5 },
  { lr: 1e-3, momentum: 0.5, wd: 0.01, rescaleGrad: 0.25, clipGradient: 2 },
];

interface Case {
  readonly type: (typeof floatTypes)[number];
  readonly count: number;
  readonly length: number;
  readonly hasMomentum: boolean;
  readonly hyper: SgdHyper;
  readonly seed: number;
}

function checkStep(kernels: Kernels, { type, count, length, hasMomentum, hyper, seed }: Case) {
  const inputs = Array.from(
    { length: count },
    (_, k) => guardedCopy(randoms(length, seed + k, type), (seed + k) % 4, type).data,
  );
  const weights = randoms(length, seed + 1000, type);
  const momenta = randoms(length, seed + 2000, type);
  const stored = guardedCopy(weights, 1, type);
  const momentum = guardedCopy(momenta, 3, type);
  const untouched = inputs.map((input) => input.slice());

  reference.sgdStep(inputs, weights, hasMomentum ? momenta : undefined, hyper);
  kernels.sgdStep(inputs, stored.data, hasMomentum ? momentum.data : undefined, hyper);

  const what = JSON.stringify({ count, length, hasMomentum, hyper });
  expect(firstDifference(stored.data, weights) === -1, what, 'stored');
  expect(firstDifference(momentum.data, momenta) === -1, what, 'momentum');
  expect(stored.isIntact() && momentum.isIntact(), what, 'bytes outside');
  expect(
    inputs.every((input, k) => firstDifference(input, untouched[k]!) === -1),
    what,
    'inputs',
  );
}

for (const kernels of everyKernels) {
  for (const type of floatTypes) {
    test(`sgdStep equals the reference at every length: ${kernels.cpu}, ${type}`, (t) => {
      for (const hasMomentum of [false, true]) {
        for (const hyper of hypers) {
          for (const length of lengths) {
            checkStep(kernels, { type, count: 3, length, hasMomentum, hyper, seed: length });
          }
        }
      }
      t.pass();
    });

    test(`sgdStep equals the reference for any number of inputs: ${kernels.cpu}, ${type}`, (t) => {
      for (const hasMomentum of [false, true]) {
        for (const hyper of hypers) {
          for (const count of counts) {
            for (const length of [31, 64, 1025]) {
              checkStep(kernels, { type, count, length, hasMomentum, hyper, seed: count });
            }
          }
        }
      }
      t.pass();
    });

    test(`sgdStep takes the stored tensor and the momentum as inputs: ${kernels.cpu}, ${type}`, (t) => {
      for (const count of [1, 3, 9, 20]) {
        const others = Array.from({ length: count }, (_, k) => randoms(700, k, type));
        const [w, m] = [randoms(700, 50, type), randoms(700, 51, type)];
        const [stored, momentum] = [w.slice(), m.slice()];
        reference.sgdStep([m.slice(), ...others, w.slice()], w, m, plain);
        kernels.sgdStep([momentum, ...others, stored], stored, momentum, plain);
        expect(firstDifference(stored, w) === -1, count, 'stored');
        expect(firstDifference(momentum, m) === -1, count, 'momentum');
      }
      t.pass();
    });
  }

  test(`sgdStep equals the reference for any hyper-parameters: ${kernels.cpu}`, (t) => {
    const number = fc.oneof(fc.double(), fc.double({ min: -2, max: 2 }), fc.constant(0));
    const cases: fc.Arbitrary<Case> = fc.record({
      type: fc.constantFrom(...floatTypes),
      count: fc.integer({ min: 1, max: 20 }),
      length: fc.integer({ min: 0, max: 1500 }),
      hasMomentum: fc.boolean(),
      hyper: fc.record({
        lr: number,
        momentum: number,
        wd: number,
        rescaleGrad: number,
        clipGradient: fc.option(number, { nil: undefined }),
      }),
      seed: fc.nat(),
    });
    checkProperty(t, cases, (value) => checkStep(kernels, value));
  });

  test(`sgdStep refuses what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const four = new Float32Array(4);
    const wide = new Float32Array(8);
    const step = (...args: readonly unknown[]) => {
      (kernels.sgdStep as (...args: readonly unknown[]) => void)(...args);
    };
    t.throws(() => step([], four, undefined, plain), { message: /at least one input/ });
    t.throws(() => step([new Float32Array(5)], four, undefined, plain), { message: /one length/ });
    t.throws(() => step([four], four, new Float32Array(3), plain), { message: /one length/ });
    t.throws(() => step([four], four, new Float64Array(4), plain), { message: /one type/ });
    t.throws(() => step([four], four, four, plain), { message: /momentum and stored/ });
    t.throws(() => step([wide.subarray(1, 5)], four, wide.subarray(0, 4), plain), {
      message: /must not overlap in part/,
    });
    t.throws(() => step([new Int32Array(4)], new Int32Array(4), undefined, plain), {
      message: /no SGD for this type/,
    });
    t.throws(() => step([four], four, undefined, { ...plain, lr: '1' }), { message: /numbers/ });
    t.throws(() => step([four], four, undefined, { ...plain, clipGradient: null }), {
      message: /clipGradient/,
    });
  });
}
