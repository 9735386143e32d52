import test from 'ava';
import { byKey, type Operation } from '../../src/history/operation.js';
import { runScenario, type ScenarioResult } from '../../src/stress/run-scenario.js';
import { planOf, scenarioProblem, stressTypes, type Scenario } from '../../src/stress/scenario.js';
import { judge } from '../../src/stress/verdict.js';
import { historyOf, type Short } from '../helpers/histories.js';
import { seed } from '../helpers/random.js';

const base: Scenario = {
  type: 'dist_sync',
  devices: 3,
  keys: 2,
  bytes: 64,
  ops: 400,
  rule: 'sum',
  faults: [],
  onDeath: 'continue',
  seed,
};
/** No test asserts a time. */
const releaseMs = Infinity;

function told({ violations, problems }: ScenarioResult): string {
  return [...violations.map(({ rule, message }) => `${rule}: ${message}`), ...problems].join('; ');
}

for (const [name, change] of Object.entries({
  'a kill, going on': { faults: ['kill'], devices: 4 },
  'a kill that aborts': { faults: ['kill'], onDeath: 'abort' },
  'an uncaught exception': { faults: ['throw'] },
  'a stall': { faults: ['stall'] },
  'a kill without rounds': { type: 'dist_async', faults: ['kill', 'throw'] },
  'a kill with a bound': { type: 'dist_ssp', faults: ['kill'] },
  'a kill of the only caller': { type: 'local', faults: ['kill'] },
  'large values': { bytes: 1_000_000, ops: 20 },
  'pushes that replace, in rounds': { rule: 'assign' },
  'pushes that replace, without rounds': { type: 'dist_async', rule: 'assign' },
  'pushes whose order matters, in rounds': { rule: 'log' },
  'pushes whose order matters, without rounds': { type: 'dist_async', rule: 'log' },
  'pushes whose order matters, of one caller': { type: 'local', rule: 'log' },
  'more devices than lanes': { devices: 6, bytes: 16 },
} satisfies Record<string, Partial<Scenario>>)) {
  test.serial(`a store stands: ${name}`, async (t) => {
    const scenario: Scenario = { ...base, ...change };
    const result = await runScenario(scenario, releaseMs);
    t.is(told(result), '', `seed ${seed}`);
    t.false(result.isHung);
    const { ops, devices, type, faults } = scenario;
    const threads = stressTypes[type].isGroup ? devices : 1;
    const dies = faults.some((fault) => fault !== 'stall');
    const least = dies || planOf(scenario).outlasts ? 1 : threads * ops;
    t.true(result.operations >= least, `${result.operations} operations`);
    if (dies) t.true(result.deaths.length > 0);
  });
}

// That the checks of a run bite: right histories of each rule, and the same with one thing wrong.
const pulls = (...seen: readonly (readonly number[])[]): Operation[] =>
  historyOf(
    [0, 'push', 0, 5],
    [1, 'push', 0, 5],
    ...seen.map((each, i) => [0, 'pull', 10 * i + 6, 10 * i + 7, each] as const),
  );
const sixPushes = [0, 1, 2, 3, 4, 5].flatMap((i): Short[] => [
  [0, 'push', i, i],
  [1, 'push', i, 99],
]);
const wrongs: Readonly<Record<string, readonly [Partial<Scenario>, Operation[], Operation[]]>> = {
  'a sum that lost a push': [{}, pulls([1, 1, 2]), pulls([1, 0, 1])],
  'half a round where deaths abort': [
    { faults: ['kill'], onDeath: 'abort' },
    historyOf([0, 'push', 0, 5], [1, 'push', 0, Infinity], [0, 'pull', 6, 7, [1, 1, 2]]),
    historyOf([0, 'push', 0, 5], [1, 'push', 0, Infinity], [0, 'pull', 6, 7, [1, 0, 1]]),
  ],
  'a replaced value that comes again': [
    { type: 'dist_async', rule: 'assign' },
    pulls([0, 1, 1], [0, 1, 1]),
    pulls([0, 1, 1], [1, 0, 1]),
  ],
  'pushes too far apart': [
    { type: 'dist_ssp' },
    historyOf(...sixPushes, [0, 'pull', 6, 99, [6, 6, 12]]),
    historyOf(...sixPushes, [0, 'pull', 6, 99, [6, 0, 6]]),
  ],
};

for (const [name, [change, right, wrong]] of Object.entries(wrongs)) {
  test(`a run's checks find ${name}`, (t) => {
    const scenario = { ...base, devices: 2, bytes: 16, ...change };
    const run = { scenario, plan: planOf(scenario), log: undefined };
    t.deepEqual(judge(right, run), []);
    t.is(judge(wrong, run).length, byKey(wrong).size);
  });
}

test('a scenario that could not be checked is refused', (t) => {
  t.is(scenarioProblem(base), undefined);
  t.regex(scenarioProblem({ ...base, rule: 'assign', faults: ['kill'] })!, /expected no deaths/);
  t.regex(scenarioProblem({ ...base, devices: 65 })!, /up to 64 devices/);
});
