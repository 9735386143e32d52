import { inspect } from 'node:util';
import test from 'ava';
import { factorOf } from '../../src/core/optimizers/option-checks.js';
import { momentOf } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed } from '../../src/core/optimizers/registry.js';
import { sgd, type SgdOptions } from '../../src/core/optimizers/sgd.js';
import { KVStoreError, optim } from '../../src/index.js';

const instanceOf = KVStoreError;

test('S13: optimizers are found by name, in any case', (t) => {
  t.is(optimizerNamed('sgd').name, 'sgd');
  t.is(optimizerNamed('SGD'), optimizerNamed('sgd'));
});

for (const name of ['sgdd', '', 'constructor', null, undefined, 3, {}]) {
  test(`S13: ${inspect(name)} is no optimizer, and the message lists those that are`, (t) => {
    t.throws(() => optimizerNamed(name), {
      instanceOf,
      code: 'unknown_optimizer',
      message: /^expected an optimizer \(adabelief.*sgd.*\), got /,
    });
  });
}

for (const options of [null, 3, 'lr', () => 1, [0.1]]) {
  test(`S13: optim.sgd refuses ${inspect(options)} as options`, (t) => {
    t.throws(() => optim.sgd(options as object), {
      instanceOf,
      code: 'bad_optimizer',
      message: /^optim.sgd expected an options object, got /,
    });
  });
}

test('S13: sgd has the defaults of MXNet 2.0', (t) => {
  t.deepEqual(sgd.resolve({}), {
    lr: 0.1,
    momentum: 0,
    wd: 0,
    rescaleGrad: 1,
    clipGradient: undefined,
    lrMult: {},
    wdMult: {},
    multiPrecision: false,
    lazyUpdate: true,
    beginNumUpdate: 0,
    schedule: undefined,
    clipGlobalNorm: undefined,
    lossScale: undefined,
    lossScaleWindow: undefined,
    ema: undefined,
  });
});

test('S13: optim.sgd names the optimizer and keeps the options that were given', (t) => {
  t.deepEqual(optim.sgd({ lr: 0.5 }), { name: 'sgd', options: { lr: 0.5 } });
  t.deepEqual(optim.sgd(), { name: 'sgd', options: {} });
});

test('S13: undefined is refused, but for an option that is undefined by default', (t) => {
  t.throws(() => sgd.resolve({ lr: undefined }), { code: 'bad_optimizer', message: /lr/ });
  t.is(sgd.resolve({ clipGradient: undefined }).clipGradient, undefined);
});

test('S13: resolved options cannot be changed, nor through what was given', (t) => {
  const lrMult = { bias: 2 };
  const options = sgd.resolve({ lrMult });
  lrMult.bias = 7;
  t.deepEqual(options.lrMult, { bias: 2 });
  t.true(Object.isFrozen(options));
  t.true(Object.isFrozen(options.lrMult));
});

const good: readonly Partial<SgdOptions>[] = [
  { lr: 0 },
  { lr: 1e9 },
  { wd: 0.1 },
  { momentum: 0.9 },
  { rescaleGrad: -1 },
  { rescaleGrad: 0 },
  { clipGradient: 1e-30 },
  { lrMult: { a: 0, 3: -1 } },
];
for (const options of good) {
  test(`S13: sgd accepts ${inspect(options)}`, (t) => {
    t.like(sgd.resolve({ ...options }), options);
  });
}

const bad: readonly Readonly<Record<string, unknown>>[] = [
  { lr: -0.1 },
  { lr: Number.NaN },
  { lr: Infinity },
  { lr: '0.1' },
  { lr: null },
  { wd: -1 },
  { momentum: -0.1 },
  { rescaleGrad: Infinity },
  { clipGradient: 0 },
  { clipGradient: -1 },
  { lrMult: [2] },
  { lrMult: 2 },
  { wdMult: { a: '2' } },
  { wdMult: { a: Number.NaN } },
  { wdMult: null },
];
for (const options of bad) {
  test(`S13: sgd refuses ${inspect(options)} and names the option`, (t) => {
    const [[name]] = Object.entries(options) as [[string, unknown]];
    const message = new RegExp(`^sgd expected ${name} to be .*, got `);
    const expected = { instanceOf, code: 'bad_optimizer', message };
    t.throws(() => sgd.resolve(options), expected);
    t.throws(() => optim.sgd(options as Partial<SgdOptions>), expected);
  });
}

for (const option of ['learningRate', 'constructor', '__proto__x']) {
  test(`S13: ${option} is no option of sgd, and the message lists those that are`, (t) => {
    t.throws(() => sgd.resolve({ [option]: 1 }), {
      instanceOf,
      code: 'bad_optimizer',
      message: /^sgd expected options lr, wd, .*momentum, got /,
    });
  });
}

test('S13: sgd needs a slot only for momentum', (t) => {
  t.deepEqual(sgd.slots(sgd.resolve({}), [3]), []);
  t.deepEqual(sgd.slots(sgd.resolve({ momentum: 0.9 }), [3]), [
    { name: 'momentum', init: 'zeros' },
  ]);
});

test('S13: the factors of a key are multiplied into its rates', (t) => {
  const options = sgd.resolve({
    lr: 0.5,
    wd: 0.25,
    momentum: 0.9,
    lrMult: { bias: 3 },
    wdMult: { bias: 0 },
  });
  const stepOf = (key: string) =>
    sgd.step(options, momentOf(options, { key, shape: [1], count: 0, counters: {} }));
  t.like(stepOf('bias'), { decay: 0, hyper: [1.5, 0.9] });
  t.like(stepOf('weight'), { decay: 0.25, hyper: [0.5, 0.9] });
});

test('S13: a key without a factor has the factor 1', (t) => {
  t.is(factorOf({ 3: 0.5 }, 3), 0.5);
  t.is(factorOf({ 3: 0.5 }, '3'), 0.5);
  t.is(factorOf({ 3: 0.5 }, 4), 1);
  t.is(factorOf({}, 'constructor'), 1);
});
