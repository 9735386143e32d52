import type { ExecutionContext } from 'ava';
import {
  full,
  optim,
  tensor,
  zeros,
  type KVStore,
  type OptimizerOptions,
} from '../../src/index.js';
import { onEveryPlane, onInlinePlane } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { rejects } from '../helpers/workers.js';

type SgdOptions = OptimizerOptions['sgd'];

/** One key of the independent model, in double precision. */
interface Model {
  readonly weights: number[];
  readonly momentum: number[];
}

/** The formula of MXNet 2.0, written down once more. */
function step(model: Model, gradients: readonly number[], key: string, options: SgdOptions): void {
  const lr = options.lr * (options.lrMult[key] ?? 1);
  const wd = options.wd * (options.wdMult[key] ?? 1);
  const clip = options.clipGradient ?? Infinity;
  gradients.forEach((gradient, i) => {
    const clipped = Math.max(-clip, Math.min(clip, gradient * options.rescaleGrad));
    const whole = clipped + wd * model.weights[i]!;
    model.momentum[i] = options.momentum * model.momentum[i]! - lr * whole;
    model.weights[i]! += model.momentum[i]!;
  });
}

const plain: SgdOptions = {
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
};
const variants: Record<string, Partial<SgdOptions>> = {
  'lr alone': { lr: 0.05 },
  momentum: { momentum: 0.9 },
  'weight decay': { wd: 0.01 },
  rescaling: { rescaleGrad: 1 / 32 },
  clipping: { clipGradient: 0.3 },
  'factors per key': { lrMult: { b: 0.1 }, wdMult: { a: 0, b: 3 }, wd: 0.1 },
  'everything, no momentum': {
    lr: 0.3,
    wd: 0.02,
    rescaleGrad: 0.5,
    clipGradient: 0.4,
    lrMult: { a: 2 },
    wdMult: { b: 0.5 },
  },
  'everything, momentum': {
    lr: 0.3,
    momentum: 0.8,
    wd: 0.02,
    rescaleGrad: 0.5,
    clipGradient: 0.4,
    lrMult: { a: 2 },
    wdMult: { b: 0.5 },
  },
};

const length = 37;
const keys = ['a', 'b'] as const;

/** Runs ten steps of two keys in the store and in the model; `change` may interfere before each. */
async function tenSteps(
  t: ExecutionContext,
  kv: KVStore,
  dtype: 'float32' | 'float64',
  options: SgdOptions,
  change: (stepNumber: number) => SgdOptions = () => options,
): Promise<void> {
  const random = new Random(seed);
  t.log(`TENSORKV_SEED=${seed}`);
  const numbers = (): number[] => Array.from({ length }, () => random.next() * 2 - 1);
  const initial = [numbers(), numbers()];
  const models = initial.map((weights) => ({
    weights: [...weights],
    momentum: weights.map(() => 0),
  }));
  await kv.init(
    keys,
    initial.map((weights) => tensor(weights, { dtype })),
  );
  for (let i = 0; i < 10; i++) {
    const now = change(i);
    const pushed = keys.map(() => [numbers(), numbers()]);
    await kv.push(
      keys,
      pushed.map((values) => values.map((value) => tensor(value, { dtype }))),
    );
    for (const [k, key] of keys.entries()) {
      const [first, second] = pushed[k]!;
      const sum = first!.map((x, j) => x + second![j]!);
      step(models[k]!, sum, key, now);
    }
  }
  const tolerance = dtype === 'float32' ? 2e-5 : 1e-12;
  for (const [k, key] of keys.entries()) {
    const pulled = await kv.pull(key);
    const worst = Math.max(...models[k]!.weights.map((w, i) => Math.abs(w - pulled.data[i]!)));
    t.true(worst < tolerance, `${key} is off by ${worst}`);
  }
}

for (const [name, options] of Object.entries(variants)) {
  for (const dtype of ['float32', 'float64'] as const) {
    onInlinePlane(`S13: ten steps of SGD equal the formula: ${name}, ${dtype}`, async (t, open) => {
      const kv = await open();
      await kv.setOptimizer(optim.sgd(options));
      await tenSteps(t, kv, dtype, { ...plain, ...options });
    });
  }
}

onEveryPlane('S13: a change of an option holds for every push after it', async (t, open) => {
  const kv = await open();
  await kv.setOptimizer('SGD', { momentum: 0.5 });
  let now: SgdOptions = { ...plain, momentum: 0.5 };
  const changes: Record<number, Partial<SgdOptions>> = {
    2: { lr: 0.02 },
    4: { lrMult: { b: 3 }, wd: 0.1 },
    6: { momentum: 0.9, clipGradient: 0.2 },
    8: { clipGradient: undefined, rescaleGrad: 0.1, wdMult: { a: 2 } },
  };
  await tenSteps(t, kv, 'float64', now, (stepNumber) => {
    Object.assign(kv.optimizer, changes[stepNumber] ?? {});
    now = { ...now, ...changes[stepNumber] };
    return now;
  });
  await kv.flush();
  t.is(kv.optimizer.lr, 0.02);
  t.deepEqual({ ...kv.optimizer }, { name: 'sgd', ...now } as never);
});

onEveryPlane('S13: momentum switched on later starts from zero', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([1]));
  await kv.setOptimizer('sgd', { lr: 1 });
  await kv.push(0, tensor([0.25]));
  kv.optimizer.momentum = 0.5;
  await kv.push(0, tensor([0.25]));
  await kv.push(0, tensor([0.25]));
  t.is((await kv.pull(0)).data[0], 0.75 - 0.25 - 0.375);
});

onEveryPlane('S13: an optimizer set anew starts with empty slots', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([0]));
  for (let i = 0; i < 2; i++) {
    await kv.setOptimizer(optim.sgd({ lr: 1, momentum: 0.5 }));
    await kv.push(0, tensor([1]));
  }
  t.is((await kv.pull(0)).data[0], -2);
});

onEveryPlane('S13: optimizer and updater replace each other', async (t, open) => {
  const kv = await open();
  await kv.init(0, tensor([0]));
  await kv.setOptimizer('sgd', { lr: 1 });
  await kv.setUpdater((_, input, stored) => void stored.add_(input));
  await kv.push(0, tensor([1]));
  t.is((await kv.pull(0)).data[0], 1);
  t.throws(() => kv.optimizer, { code: 'no_optimizer' });
  await kv.setOptimizer('sgd', { lr: 1 });
  await kv.push(0, tensor([1]));
  t.is((await kv.pull(0)).data[0], 0);
});

onEveryPlane('S13: a factor may be that of a key called __proto__', async (t, open) => {
  const kv = await open();
  await kv.init(['__proto__', 'constructor'], [zeros(1), zeros(1)]);
  await kv.setOptimizer(optim.sgd({ lr: 1, lrMult: { ['__proto__']: 3 } }));
  await kv.push(['__proto__', 'constructor'], [full(1, 1), full(1, 1)]);
  t.deepEqual(
    (await kv.pull(kv.keys)).map((each) => each.data[0]),
    [-3, -1],
  );
});

onEveryPlane('S13: int32 keys have no optimizer', async (t, open) => {
  const kv = await open();
  await kv.init(['f', 'i'], [zeros(1), zeros(1, { dtype: 'int32' })]);
  await kv.setOptimizer('sgd', { lr: 1 });
  const values = [full(1, 1), full(1, 1, { dtype: 'int32' })];
  await rejects(t, kv.push(['f', 'i'], values), {
    code: 'unsupported',
    key: 'i',
    says: ['key "i"', 'float32', 'int32'],
  });
  t.deepEqual(
    (await kv.pull(['f', 'i'])).map((each) => each.data[0]),
    [0, 0],
  );
});

onEveryPlane(
  'S13: a list with a key that the optimizer refuses changes no key, though one still waits for its updater',
  async (t, open) => {
    const kv = await open();
    await kv.init(['f', 'i'], [zeros(1), zeros(1, { dtype: 'int32' })]);
    await kv.setUpdater((_key, input, stored) => void stored.add_(input));
    const values = [full(1, 1), full(1, 1, { dtype: 'int32' })];
    const before = kv.push('i', values[1]!);
    const isSet = kv.setOptimizer('sgd', { lr: 1 });
    await rejects(t, kv.push(['f', 'i'], values), {
      code: 'unsupported',
      key: 'i',
      says: ['key "i"', 'float32', 'int32'],
    });
    await Promise.all([before, isSet]);
    t.deepEqual(
      (await kv.pull(['f', 'i'])).map((each) => each.data[0]),
      [0, 1],
    );
  },
);
