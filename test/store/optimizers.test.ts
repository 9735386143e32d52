import test, { type ExecutionContext } from 'ava';
import { optim, schedule, tensor, zeros, type DType, type KVStore } from '../../src/index.js';
import { castElements } from '../../src/core/elements.js';
import type { CommonOptions } from '../../src/core/optimizers/optimizer.js';
import {
  optimizerNamed,
  optimizerNames,
  type OptimizerName,
} from '../../src/core/optimizers/registry.js';
import { formulas, type Memory } from '../helpers/formulas.js';
import { onEveryPlane, onInlinePlane, type Open } from '../helpers/planes.js';
import { Random, seed } from '../helpers/random.js';
import { rejects } from '../helpers/workers.js';

type Options = Partial<CommonOptions> & Readonly<Record<string, unknown>>;
type Named = Exclude<OptimizerName, 'sgld'>;

const named = optimizerNames.filter((name): name is Named => name !== 'sgld');

/** Own options to try beside the defaults. */
const variants: Partial<Record<OptimizerName, readonly Options[]>> = {
  sgd: [{ momentum: 0.9 }],
  signum: [{ wdLh: 0.1 }],
  adamw: [{ correctBias: false }],
  rmsprop: [{ centered: true, momentum: 0.5, epsilon: 1e-4 }, { clipWeights: 0.5 }],
  lamb: [{ lowerBound: 8, biasCorrection: false }, { upperBound: 1 }],
  lans: [{ upperBound: 2 }],
  lars: [{ momentum: 0.9, eta: 0.1 }],
  dcasgd: [{ momentum: 0.7, lambda: 0.5 }],
  muon: [{ nesterov: false, iterations: 3 }],
  adafactor: [{ scaleParameter: false, clipThreshold: 0.5 }],
  schedulefreeadamw: [{ warmupSteps: 4 }],
  adabelief: [{ correctBias: false }],
};

const keys = ['a', 'b'] as const;

/** All common options that change numbers, with factors for each key. */
function commonOptions(name: OptimizerName): Options {
  const wd = name === 'groupadagrad' ? 0 : 0.02;
  return {
    lr: 0.05,
    wd,
    rescaleGrad: 0.5,
    clipGradient: name === 'lans' ? 0.2 : 0.4,
    lrMult: { a: 2 },
    wdMult: { b: 0.5 },
  };
}

interface Run {
  readonly name: Named;
  readonly options: Options;
  readonly dtype: DType;
  readonly shapes: readonly (readonly number[])[];
  readonly steps: number;
}

/**
 * Pushes the same values to the store and to the formula, two of them a step; the largest distance
 * between the weights, relative to the largest weight.
 */
async function distance(t: ExecutionContext, kv: KVStore, run: Run): Promise<number> {
  t.log(`TENSORKV_SEED=${seed}`);
  const random = new Random(seed);
  const numbers = (length: number): number[] => {
    const exact = Float64Array.from({ length }, () => random.next() * 2 - 1);
    const held = zeros([length], { dtype: run.dtype });
    castElements(exact, 'float64', held.data, run.dtype);
    const back = new Float64Array(length);
    castElements(held.data, run.dtype, back, 'float64');
    return [...back];
  };
  const make = (data: number[], shape: readonly number[]) =>
    tensor(data, { shape, dtype: run.dtype });
  const options = optimizerNamed(run.name).resolve(run.options);
  const own = options as unknown as Record<string, number | boolean | undefined>;
  const models = run.shapes.map((shape) => ({
    shape,
    w: numbers(shape.reduce((size, n) => size * n, 1)),
    memory: {} as Memory,
  }));
  await kv.setOptimizer(run.name, run.options);
  await kv.init(
    keys,
    models.map(({ w, shape }) => make(w, shape)),
  );
  for (let step = 1; step <= run.steps; step++) {
    const values = models.map(({ w }) => [numbers(w.length), numbers(w.length)]);
    await kv.push(
      keys,
      values.map((pair, k) => pair.map((each) => make(each, run.shapes[k]!))),
    );
    models.forEach(({ w, memory, shape }, k) => {
      const key = keys[k]!;
      const t = options.beginNumUpdate + step;
      formulas[run.name]({
        w,
        sum: values[k]![0]!.map((x, i) => x + values[k]![1]![i]!),
        t,
        lr: (options.schedule?.at(t) ?? options.lr) * (options.lrMult[key] ?? 1),
        wd: options.wd * (options.wdMult[key] ?? 1),
        rescale: options.rescaleGrad,
        clip: options.clipGradient ?? Infinity,
        shape,
        o: own,
        memory,
      });
    });
  }
  const worst = await Promise.all(
    models.map(async ({ w }, k) => {
      const pulled = await kv.pull(keys[k]!, { out: zeros(run.shapes[k]!, { dtype: 'float64' }) });
      const scale = Math.max(...w.map(Math.abs));
      return Math.max(...w.map((x, i) => Math.abs(x - pulled.data[i]!))) / scale;
    }),
  );
  return Math.max(...worst);
}

const shapesOf = (name: OptimizerName): readonly (readonly number[])[] =>
  name === 'muon'
    ? [
        [6, 9],
        [8, 5],
      ]
    : [[37], [6, 9]];

/** Rounding is what is left: so much of the largest weight after ten steps. */
const tolerances: Partial<Record<DType, number>> = { float32: 2e-6, float64: 1e-13 };

for (const name of named) {
  const all: readonly Options[] = [{}, ...(variants[name] ?? []).flatMap((own) => [own])];
  for (const own of all) {
    for (const dtype of ['float32', 'float64'] as const) {
      const title = `O-${name}: ten steps equal the formula: ${JSON.stringify(own)}, ${dtype}`;
      onInlinePlane(title, async (t, open) => {
        const options = { ...commonOptions(name), ...own };
        const run = { name, options, dtype, shapes: shapesOf(name), steps: 10 };
        const off = await distance(t, await open(), run);
        t.true(off <= tolerances[dtype]!, `off by ${off}`);
      });
    }
  }

  for (const dtype of ['float16', 'bfloat16'] as const) {
    onInlinePlane(
      `O-${name} O-multiPrecision: ten steps with float32 masters: ${dtype}`,
      async (t, open) => {
        const options = { ...commonOptions(name), multiPrecision: true };
        const run = { name, options, dtype, shapes: shapesOf(name), steps: 10 };
        const off = await distance(t, await open(), run);
        // Half a unit of the last place of the largest weight.
        t.true(off <= (dtype === 'float16' ? 2 ** -11 : 2 ** -8), `off by ${off}`);
      },
    );
  }
}

for (const [name, made] of Object.entries({
  constant: schedule.constant({ baseLr: 0.1 }),
  factor: schedule.factor({ baseLr: 0.1, step: 3, factor: 0.5 }),
  multiFactor: schedule.multiFactor({ baseLr: 0.1, steps: [2, 5], factor: 0.1 }),
  poly: schedule.poly({ baseLr: 0.1, maxUpdate: 9, warmupSteps: 2 }),
  cosine: schedule.cosine({ baseLr: 0.1, maxUpdate: 9, warmupSteps: 2, warmupBeginLr: 0.01 }),
  inverseSqrt: schedule.inverseSqrt({ baseLr: 0.1, warmupSteps: 3, warmupMode: 'constant' }),
  wsd: schedule.wsd({ baseLr: 0.1, stableSteps: 3, decaySteps: 4, decay: 'sqrt' }),
  oneCycle: schedule.oneCycle({ baseLr: 0.1, maxUpdate: 9 }),
  plateau: schedule.plateau({ baseLr: 0.1, patience: 0 }).observe(2, 1).observe(4, 1),
})) {
  onEveryPlane(
    `O-${name}Schedule O-beginNumUpdate: ten steps by the schedule, from update 2 on`,
    async (t, open) => {
      const options = { schedule: made, momentum: 0.9, beginNumUpdate: 1 };
      const run = {
        name: 'sgd',
        options,
        dtype: 'float64',
        shapes: [[5], [7]],
        steps: 10,
      } as const;
      t.true((await distance(t, await open(), run)) <= 1e-13);
    },
  );
}

onEveryPlane(
  'O-rescaleGrad O-clipGradient O-wd O-lrMult O-wdMult: they enter a step of SGD in this order',
  async (t, open) => {
    const kv = await open();
    await kv.init(['a', 'b'], [tensor([2, 2]), tensor([2, 2])]);
    const factors = { lrMult: { a: 2 }, wdMult: { b: 0 } };
    await kv.setOptimizer(
      optim.sgd({ lr: 0.5, rescaleGrad: 0.25, clipGradient: 1, wd: 0.5, ...factors }),
    );
    await kv.push(['a', 'b'], [tensor([2, -40]), tensor([2, -40])]);
    // a: w - 0.5 * 2 * (clip(0.25 g) + 0.5 w); b: w - 0.5 * clip(0.25 g).
    t.deepEqual((await kv.pull('a')).toArray(), [0.5, 2]);
    t.deepEqual((await kv.pull('b')).toArray(), [1.75, 2.5]);
  },
);

onEveryPlane(
  'O-live: any option may change between two pushes, and no push is torn',
  async (t, open) => {
    const kv = await open();
    await kv.init('w', tensor([0]));
    await kv.setOptimizer(optim.sgd({ lr: 1 }));
    const pushes: Promise<void>[] = [];
    for (const lr of [1, 10, 100]) {
      kv.optimizer.lr = lr;
      pushes.push(kv.push('w', tensor([1])));
    }
    kv.optimizer.rescaleGrad = 0;
    await Promise.all(pushes);
    t.deepEqual((await kv.pull('w')).toArray(), [-111]);
    await kv.push('w', tensor([1]));
    t.deepEqual((await kv.pull('w')).toArray(), [-111]);
  },
);

onEveryPlane('O-counts: a key counts its own updates', async (t, open) => {
  const kv = await open();
  await kv.init(['often', 'late'], [zeros(1), zeros(1)]);
  await kv.setOptimizer(optim.adam({ lr: 0.1 }));
  for (let i = 0; i < 5; i++) await kv.push('often', tensor([i + 1]));
  await kv.push('late', tensor([3]));
  // The first step of Adam is its learning rate, whatever the gradient.
  t.true(Math.abs((await kv.pull('late')).data[0]! + 0.1) < 1e-6);
});

onEveryPlane(
  'O-live: with a schedule set, the learning rate is not to be assigned',
  async (t, open) => {
    const kv = await open();
    const constant = schedule.constant({ baseLr: 0.5 });
    await kv.init(0, zeros(1));
    await kv.setOptimizer(optim.sgd({ schedule: constant }));
    t.throws(() => (kv.optimizer.lr = 1), { code: 'scheduler_owns_lr' });
    t.is(kv.optimizer.schedule!.at(7), 0.5);
    await kv.push(0, tensor([1]));
    kv.optimizer.schedule = schedule.constant({ baseLr: 0.25 });
    await kv.push(0, tensor([1]));
    kv.optimizer.schedule = undefined;
    kv.optimizer.lr = 0.125;
    await kv.push(0, tensor([1]));
    t.is((await kv.pull(0)).data[0], -0.875);
  },
);

onEveryPlane(
  'O-ema: the moving average follows the weights, and is pulled on request',
  async (t, open) => {
    const kv = await open();
    await kv.init(['w', 'h'], [tensor([8]), tensor([8], { dtype: 'float16' })]);
    await kv.setOptimizer(optim.sgd({ lr: 1, ema: 0.75 }));
    const average = async () => {
      const [w, h] = await kv.pull(['w', 'h'], { average: true });
      t.is(h!.dtype, 'float16');
      return [w!.toArray(), h!.toArray()].flat();
    };
    t.deepEqual(await average(), [8, 8]);
    for (let i = 0; i < 2; i++) {
      await kv.push(['w', 'h'], [tensor([4]), tensor([4], { dtype: 'float16' })]);
    }
    // 8, then 0.75 * 8 + 0.25 * 4, then 0.75 * 7 + 0.25 * 0.
    t.deepEqual(await average(), [5.25, 5.25]);
    t.deepEqual((await kv.pull('w')).toArray(), [0]);
    const out = await kv.pull('w', { average: true, out: zeros(1, { dtype: 'float64' }) });
    t.deepEqual(out.toArray(), [5.25]);
  },
);

onEveryPlane('O-schedulefreeadamw: it is evaluated at its average', async (t, open) => {
  const kv = await open();
  await kv.init('w', tensor([1], { dtype: 'float64' }));
  await kv.setOptimizer(optim.schedulefreeadamw({ lr: 0.1, beta1: 0.5 }));
  await kv.push('w', tensor([2], { dtype: 'float64' }));
  const [y, x] = [await kv.pull('w'), await kv.pull('w', { average: true })];
  // After the first update the average is the base: both are the weights.
  t.is(y.data[0], x.data[0]);
  await kv.push('w', tensor([2], { dtype: 'float64' }));
  t.not((await kv.pull('w')).data[0], (await kv.pull('w', { average: true })).data[0]);
});

onEveryPlane('O-ema: there is no average without an optimizer that keeps one', async (t, open) => {
  const kv = await open();
  await kv.init('w', zeros(1));
  const expected = { code: 'bad_argument', key: 'w', says: ['average', 'ema'] } as const;
  await rejects(t, kv.pull('w', { average: true }), expected);
  await kv.setOptimizer('sgd');
  await rejects(t, kv.pull('w', { average: true }), expected);
  await rejects(t, kv.pull('w', { average: 1 as never }), { code: 'bad_argument' });
});

onEveryPlane('O-sgld: noise is the same on every run, and normal', async (t, open) => {
  const size = 20_000;
  const noises = await Promise.all(
    [1, 1, 2].map(async (start) => {
      const kv = await open();
      await kv.init('w', zeros(size, { dtype: 'float64' }));
      await kv.setOptimizer(optim.sgld({ lr: 1, seed: start }));
      await kv.push('w', zeros(size, { dtype: 'float64' }));
      return [...(await kv.pull('w')).data];
    }),
  );
  t.true(noises[0]!.every((x, i) => x === noises[1]![i]));
  t.true(noises[0]!.some((x, i) => x !== noises[2]![i]));
  const moment = (n: number): number => noises[0]!.reduce((sum, x) => sum + x ** n, 0) / size;
  // Within five standard deviations of what these numbers of a normal distribution are.
  t.true(Math.abs(moment(1)) < 5 / Math.sqrt(size));
  t.true(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / size));
  t.true(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / size));
});

onEveryPlane(
  'O-muon: it refuses keys that are no matrices, others take their update',
  async (t, open) => {
    const kv = await open();
    await kv.init(['m', 'v'], [zeros([2, 3]), zeros([3])]);
    await kv.setOptimizer('muon');
    await rejects(t, kv.push('v', zeros([3])), { code: 'unsupported', key: 'v', says: ['[3]'] });
    await kv.push(
      'm',
      tensor([
        [1, 0, 0],
        [0, 1, 0],
      ]),
    );
    t.true((await kv.pull('m')).data[0]! < 0);
  },
);

onEveryPlane(
  'O: what an optimizer remembers counts against the memory limit',
  async (t, open: Open) => {
    const kv = await open('local', { memoryLimit: 1000 });
    await kv.init('w', zeros(100));
    await kv.setOptimizer('adam');
    await rejects(t, kv.push('w', zeros(100)), { code: 'memory_limit', key: 'w', says: ['slot'] });
    await kv.setOptimizer('sgd');
    await kv.push('w', zeros(100));
    t.is(kv.stats().storeBytes, 400);
  },
);

test('O: aliases of options are those of MXNet 1.x', (t) => {
  t.like(optimizerNamed('rmsprop').resolve({ gamma1: 0.5, gamma2: 0.25 }), {
    rho: 0.5,
    momentum: 0.25,
  });
  t.like(optimizerNamed('ftrl').resolve({ lamda1: 0.5 }), { lambda1: 0.5 });
  t.like(optimizerNamed('dcasgd').resolve({ lamda: 0.5 }), { lambda: 0.5 });
});

test('O: a learning rate and a schedule are not given together', (t) => {
  t.throws(() => optim.sgd({ lr: 1, schedule: schedule.constant() }), {
    code: 'bad_optimizer',
    message: /lr or a schedule/,
  });
});

test('O-groupadagrad: it has no weight decay', (t) => {
  t.throws(() => optim.groupadagrad({ wd: 0.1 }), { code: 'bad_optimizer', message: /wd/ });
});
