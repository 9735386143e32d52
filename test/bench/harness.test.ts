import test from 'ava';
import {
  Disagreement,
  efforts,
  measure,
  repeat,
  repeatAsync,
  type Bench,
  type Check,
  type Prepared,
  type Variant,
} from '../../bench/harness.js';

const options = { devices: 1 };

function benchOf(prepared: Omit<Prepared, 'about'>): Bench {
  return {
    name: 'made-up',
    question: 'What does nothing cost?',
    sizes: { smoke: [1], full: [1] },
    setup: () => ({ about: 'nothing', ...prepared }),
  };
}

/** A variant that writes its name down each time it runs. */
function logged(log: string[], name: string, check: Check): Variant {
  return { run: (times) => void log.push(`${name} ${times}`), check };
}

const agree: Check = { answer: () => 'same' };

test('a bench whose variants disagree fails before anything is timed, and is closed', async (t) => {
  const log: string[] = [];
  const bench = benchOf({
    baseline: 'one',
    variants: {
      one: logged(log, 'one', { answer: () => '1111' }),
      other: logged(log, 'other', { answer: async () => '2222' }),
    },
    close: async () => void log.push('closed'),
  });
  await t.throwsAsync(measure(bench, 1, efforts.smoke, options), {
    instanceOf: Disagreement,
    message: 'bench made-up of size 1: variants disagree: one 1111, other 2222',
  });
  t.deepEqual(log, ['one 1', 'other 1', 'closed']);
});

test('a bench whose variants agree on a wrong answer fails', async (t) => {
  const bench = benchOf({
    baseline: 'one',
    expected: 'right',
    variants: { one: logged([], 'one', agree) },
  });
  await t.throwsAsync(measure(bench, 1, efforts.smoke, options), {
    instanceOf: Disagreement,
    message: /expected right, one same/,
  });
});

test('a bound that did not do its work fails the bench', async (t) => {
  const bench = benchOf({
    baseline: 'bound',
    variants: { bound: logged([], 'bound', { holds: () => false }) },
  });
  await t.throwsAsync(measure(bench, 1, efforts.smoke, options), {
    instanceOf: Disagreement,
    message: 'bench made-up of size 1: bound did not do its work',
  });
});

test('a bench names a baseline that it has', async (t) => {
  const bench = benchOf({ baseline: 'none', variants: { one: logged([], 'one', agree) } });
  await t.throwsAsync(measure(bench, 1, efforts.smoke, options), { message: /no variant none/ });
});

test('a variant that fails fails the bench, which is closed', async (t) => {
  let closed = false;
  const run = (): Promise<void> => Promise.reject(new Error('lost a device'));
  const bench = benchOf({
    baseline: 'one',
    variants: { one: { run, check: agree } },
    close: async () => void (closed = true),
  });
  await t.throwsAsync(measure(bench, 1, efforts.smoke, options), { message: 'lost a device' });
  t.true(closed);
});

test('every variant runs once a round, in an order that changes', async (t) => {
  const log: string[] = [];
  const names = ['a', 'b', 'c'];
  const bench = benchOf({
    baseline: 'a',
    verifyTimes: 2,
    variants: Object.fromEntries(names.map((name) => [name, logged(log, name, agree)])),
  });
  const found = await measure(bench, 1, { ...efforts.smoke, rounds: 12 }, options);
  t.deepEqual(log.slice(0, 3), ['a 2', 'b 2', 'c 2'], 'verified first');
  const rounds = Array.from({ length: 12 }, (_, i) => log.slice(6 + 3 * i, 9 + 3 * i).join());
  for (const round of rounds) t.is(round.split(',').sort().join(), 'a 1,b 1,c 1');
  t.true(new Set(rounds).size > 2);
  t.is(log.length, 6 + 36);
  t.deepEqual(
    found.map(({ variant, rounds: count }) => [variant, count]),
    names.map((name) => [name, 12]),
  );
});

/** Variants that take exactly as long as they say, by a clock of their own. */
function timed(names: Readonly<Record<string, number>>) {
  let nowMs = 0;
  const runs: number[] = [];
  const variants = Object.entries(names).map(([name, eachMs]): [string, Variant] => [
    name,
    {
      run: (times) => {
        runs.push(times);
        nowMs += times * eachMs;
      },
      check: agree,
    },
  ]);
  return { variants: Object.fromEntries(variants), runs, clock: () => nowMs };
}

test('rounds fill the window, and short work is repeated until it fills a sample', async (t) => {
  const { variants, runs, clock } = timed({ quick: 0.25, slow: 10 });
  const bench = benchOf({ baseline: 'quick', bytes: 1_000_000, variants });
  const effort = { windowMs: 100, minRounds: 1, maxRounds: 1000, warmUpMs: 20, sampleMs: 5 };
  const found = await measure(bench, 1, { ...effort, clock }, options);
  // A sample of quick takes 20 runs or 5 ms, one of slow 10 ms: the seventh round ends after 105 ms.
  t.deepEqual(
    runs.slice(-14).sort((a, b) => a - b),
    [1, 1, 1, 1, 1, 1, 1, 20, 20, 20, 20, 20, 20, 20],
  );
  const same = { bench: 'made-up', size: 1, about: 'nothing', baseline: 'quick', verified: true };
  const [quick, slow] = [250, 10_000];
  t.deepEqual(
    found.map(({ samplesUs }) => samplesUs),
    [Array.from({ length: 7 }, () => quick), Array.from({ length: 7 }, () => slow)],
  );
  t.deepEqual(found.map((each) => ({ ...each, samplesUs: undefined })) as unknown[], [
    {
      ...same,
      samplesUs: undefined,
      ...{ variant: 'quick', medianUs: quick, minUs: quick, maxUs: quick, ratio: 1, gbps: 4 },
      rounds: 7,
    },
    {
      ...same,
      samplesUs: undefined,
      ...{ variant: 'slow', medianUs: slow, minUs: slow, maxUs: slow, ratio: 40, gbps: 0.1 },
      rounds: 7,
    },
  ]);
});

test('slow work still gets its least number of rounds, quick work no more than its most', async (t) => {
  const roundsOf = async (eachMs: number): Promise<number> => {
    const { variants, clock } = timed({ one: eachMs });
    const effort = { windowMs: 100, minRounds: 3, maxRounds: 9, warmUpMs: 0, sampleMs: 0, clock };
    const [found] = await measure(benchOf({ baseline: 'one', variants }), 1, effort, options);
    return found!.rounds;
  };
  t.is(await roundsOf(1000), 3);
  t.is(await roundsOf(25), 4);
  t.is(await roundsOf(1), 9);
});

test('a measurement puts its figures in order', async (t) => {
  let sum = 0;
  const work = repeat(() => {
    for (let i = 0; i < 1000; i++) sum += i;
  });
  const bench = benchOf({
    baseline: 'sync',
    bytes: 8000,
    variants: {
      sync: { run: work, check: agree },
      async: { run: repeatAsync(async () => work(1)), check: agree },
    },
  });
  const found = await measure(bench, 1, { ...efforts.smoke, rounds: 5 }, options);
  t.true(sum > 0);
  t.is(found[0]!.ratio, 1, 'the baseline is as fast as itself');
  for (const { medianUs, minUs, maxUs, gbps, verified } of found) {
    t.true(minUs > 0 && minUs <= medianUs && medianUs <= maxUs);
    t.is(gbps, 8000 / medianUs / 1000);
    t.true(verified);
  }
});
