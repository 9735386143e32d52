import { inspect } from 'node:util';
import test from 'ava';
import { scheduleFrom, scheduleSpec, type Schedule } from '../../src/core/schedules/index.js';
import { KVStoreError, schedule } from '../../src/index.js';
import { Random, seed } from '../helpers/random.js';

const instanceOf = KVStoreError;
const updates = Array.from({ length: 60 }, (_, i) => i);

/** MXNet's way to the same numbers: a loop that remembers, asked in order. */
function stepwise(base: number, factor: number, isDue: (update: number) => boolean, stop = 0) {
  let lr = base;
  return updates.map((update) => {
    if (isDue(update)) lr = Math.max(stop, lr * factor);
    return lr;
  });
}

const close = (a: number, b: number): boolean =>
  Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b));

/** Every schedule with what it gives for the updates from 0 on, made in another way. */
const cases: Readonly<Record<string, readonly [Schedule, readonly number[]]>> = {
  constant: [schedule.constant({ baseLr: 0.5 }), updates.map(() => 0.5)],
  factor: [
    schedule.factor({ baseLr: 1, step: 7, factor: 0.5, stopFactorLr: 0.1 }),
    stepwise(1, 0.5, (update) => update > 1 && (update - 1) % 7 === 0, 0.1),
  ],
  multiFactor: [
    schedule.multiFactor({ baseLr: 1, steps: [3, 4, 20], factor: 0.25 }),
    stepwise(1, 0.25, (update) => [4, 5, 21].includes(update)),
  ],
  poly: [
    schedule.poly({ baseLr: 1, maxUpdate: 40, power: 3, finalLr: 0.25 }),
    updates.map((n) => 0.25 + 0.75 * ((40 - Math.min(n, 40)) / 40) ** 3),
  ],
  cosine: [
    schedule.cosine({ baseLr: 1, maxUpdate: 40, finalLr: 0.25 }),
    updates.map((n) => 0.25 + 0.75 * Math.cos((Math.PI * Math.min(n, 40)) / 80) ** 2),
  ],
  'cosine after a warm-up': [
    schedule.cosine({ baseLr: 1, maxUpdate: 30, warmupSteps: 10, warmupBeginLr: 0.5 }),
    updates.map((n) =>
      n < 10 ? 0.5 + 0.05 * n : Math.cos((Math.PI * Math.min(n - 10, 20)) / 40) ** 2,
    ),
  ],
  'poly after a constant warm-up': [
    schedule.poly({
      baseLr: 1,
      maxUpdate: 30,
      power: 1,
      warmupSteps: 10,
      warmupBeginLr: 0.5,
      warmupMode: 'constant',
    }),
    updates.map((n) => (n < 10 ? 0.5 : Math.max(0, 30 - n) / 20)),
  ],
  inverseSqrt: [
    schedule.inverseSqrt({ baseLr: 2, warmupSteps: 4 }),
    updates.map((n) => (n < 4 ? n / 2 : 4 * n ** -0.5)),
  ],
  wsd: [
    schedule.wsd({ baseLr: 1, warmupSteps: 5, stableSteps: 10, decaySteps: 20, finalLr: 0.5 }),
    updates.map((n) => (n < 5 ? n / 5 : n <= 15 ? 1 : Math.max(0.5, 1 - (n - 15) / 40))),
  ],
  'wsd with a root': [
    schedule.wsd({ baseLr: 1, stableSteps: 0, decaySteps: 16, decay: 'sqrt' }),
    updates.map((n) => Math.max(0, 1 - Math.sqrt(n) / 4)),
  ],
  'wsd with a cosine': [
    schedule.wsd({ baseLr: 1, stableSteps: 4, decaySteps: 16, decay: 'cosine' }),
    updates.map((n) => Math.cos((Math.PI * Math.min(Math.max(n - 4, 0), 16)) / 32) ** 2),
  ],
  'oneCycle, linear': [
    schedule.oneCycle({
      baseLr: 1,
      maxUpdate: 50,
      pctStart: 0.2,
      divFactor: 10,
      finalDivFactor: 100,
      anneal: 'linear',
    }),
    updates.map((n) => (n < 10 ? 0.1 + 0.09 * n : 0.001 + 0.999 * (Math.max(50 - n, 0) / 40))),
  ],
  oneCycle: [
    schedule.oneCycle({
      baseLr: 1,
      maxUpdate: 50,
      pctStart: 0.2,
      divFactor: 10,
      finalDivFactor: 1,
    }),
    updates.map((n) => {
      const share = n < 10 ? n / 10 : 1 - Math.min(n - 10, 40) / 40;
      return 0.1 + 0.9 * Math.sin((Math.PI / 2) * share) ** 2;
    }),
  ],
  plateau: [
    schedule.plateau({ baseLr: 1, factor: 0.5, minLr: 0.2, reductions: [5, 9, 30] }),
    stepwise(1, 0.5, (update) => [6, 10, 31].includes(update), 0.2),
  ],
};

/** The first word: which schedule it is. */
const word = (name: string): string => name.split(' ')[0]!;

for (const [name, [made, expected]] of Object.entries(cases)) {
  test(`O-${word(name)}Schedule: ${name} gives the rates of its formula, in any order`, (t) => {
    t.log(`TENSORKV_SEED=${seed}`);
    for (const n of new Random(seed).shuffled(updates)) {
      t.true(close(made.at(n), expected[n]!), `update ${n}: ${made.at(n)}, not ${expected[n]}`);
    }
  });

  test(`O-${word(name)}Schedule: ${name} is made again from plain data`, (t) => {
    const spec: unknown = JSON.parse(JSON.stringify(scheduleSpec(made)));
    const again = scheduleFrom(spec);
    t.deepEqual(
      updates.map((n) => again.at(n)),
      updates.map((n) => made.at(n)),
    );
    t.is(again.name, made.name);
    t.deepEqual(again.options, made.options);
  });
}

test('O: schedules have the defaults of MXNet', (t) => {
  t.like(schedule.constant().options, {
    baseLr: 0.01,
    warmupSteps: 0,
    warmupBeginLr: 0,
    warmupMode: 'linear',
  });
  t.like(schedule.factor({ step: 1 }).options, { factor: 1, stopFactorLr: 1e-8 });
  t.like(schedule.poly({ maxUpdate: 1 }).options, { power: 2, finalLr: 0 });
});

const bad: readonly [keyof typeof schedule, object, RegExp][] = [
  ['constant', { baseLr: NaN }, /baseLr to be a finite number from 0 up, got NaN/],
  ['constant', { baseLr: -1 }, /baseLr/],
  ['constant', { rate: 1 }, /expected options baseLr, .*, got "rate"/],
  ['constant', { warmupSteps: 1.5 }, /warmupSteps to be an integer from 0 up/],
  ['constant', { warmupMode: 'slow' }, /warmupMode to be "linear" or "constant", got "slow"/],
  ['constant', { warmupBeginLr: 1 }, /warmupBeginLr to be at most baseLr, 0.01, got 1/],
  ['factor', {}, /step to be an integer from 1 up, got undefined/],
  ['factor', { step: 0 }, /step/],
  ['factor', { step: 1, factor: 2 }, /factor to be at most 1/],
  ['multiFactor', { steps: [3, 3] }, /steps to be an ascending list of integers from 1 up/],
  ['multiFactor', { steps: [1, 2], factor: 1.5 }, /factor to be at most 1/],
  ['multiFactor', { steps: 4 }, /steps/],
  ['poly', { maxUpdate: 0 }, /maxUpdate/],
  ['poly', { maxUpdate: 5, warmupSteps: 5 }, /maxUpdate to be above warmupSteps, 5, got 5/],
  ['cosine', { maxUpdate: 5, finalLr: -1 }, /finalLr/],
  ['wsd', { stableSteps: 1 }, /decaySteps/],
  ['wsd', { stableSteps: 1, decaySteps: 1, decay: 'x' }, /decay to be/],
  ['oneCycle', { maxUpdate: 5, pctStart: 1 }, /pctStart to be a number between 0 and 1/],
  ['oneCycle', { maxUpdate: 5, warmupSteps: 1 }, /warmupSteps to be 0/],
  ['plateau', { factor: 1 }, /factor to be below 1/],
  ['plateau', { mode: 'up' }, /mode/],
  ['plateau', { best: 'low' }, /best/],
];
for (const [name, options, message] of bad) {
  test(`O-${word(name)}Schedule: it refuses ${inspect(options)}`, (t) => {
    const make = schedule[name] as (options: object) => Schedule;
    t.throws(() => make(options), { instanceOf, code: 'bad_optimizer', message });
  });
}

for (const spec of [undefined, null, 3, {}, { name: 'constructor' }, { name: 'x', options: {} }]) {
  test(`O: ${inspect(spec)} is no schedule, and the message lists those that are`, (t) => {
    const expected = {
      instanceOf,
      code: 'bad_optimizer',
      message: /^expected a schedule \(constant, /,
    };
    t.throws(() => scheduleFrom(spec), expected);
  });
}

for (const update of [-1, 0.5, NaN, '1', undefined]) {
  test(`O: a schedule refuses ${inspect(update)} as the number of an update`, (t) => {
    t.throws(() => schedule.constant().at(update as number), { instanceOf, code: 'bad_argument' });
  });
}

test('O-plateauSchedule: it is reduced after patience, then rests', (t) => {
  let current = schedule.plateau({ baseLr: 1, factor: 0.5, patience: 1, cooldown: 2 });
  const rates: number[] = [];
  // Better, then never again: 3 and 4 wait, 4 is past the patience; 5 and 6 rest, 7 and 8 wait.
  for (const [update, metric] of [5, 5, 5, 5, 5, 5, 5, 5].entries()) {
    const before = current;
    current = current.observe(update + 1, metric);
    t.not(before, current);
    rates.push(current.at(update + 2));
  }
  t.deepEqual(rates, [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
  t.is(current.at(3), 1, 'the past stays');
});

test('O-plateauSchedule: mode max waits for a rise, by more than the threshold', (t) => {
  const start = schedule.plateau({ baseLr: 1, mode: 'max', patience: 0, threshold: 0.1 });
  const one = start.observe(1, 10);
  t.is(one.observe(2, 12).at(3), 1);
  t.is(one.observe(2, 10.5).at(3), 0.1);
  t.is(one.observe(2, Infinity).at(3), 0.1, 'what is not finite is no progress');
});

test('O-plateauSchedule: it refuses what it cannot have observed', (t) => {
  const start = schedule.plateau({ patience: 0 });
  const reduced = start.observe(4, 1).observe(5, 1);
  const bad_argument = { instanceOf, code: 'bad_argument' };
  for (const update of [0, -1, 1.5, NaN]) t.throws(() => start.observe(update, 1), bad_argument);
  t.throws(() => reduced.observe(4, 1), bad_argument);
  t.throws(() => start.observe(1, NaN), bad_argument);
});
