import test from 'ava';
import { profiles } from '../../src/stress/profiles.js';
import { planOf, scenarioProblem, stressTypes, type Scenario } from '../../src/stress/scenario.js';
import { seed } from '../helpers/random.js';

const seeded = (name: keyof typeof profiles): Scenario[] =>
  profiles[name].scenarios.map((scenario, i) => ({ ...scenario, seed: seed + i }));

test('the list for every change has 5,000,000 operations and 500 deaths, of all kinds', (t) => {
  const scenarios = seeded('ci');
  const plans = scenarios.map((scenario) => ({ scenario, plan: planOf(scenario) }));
  const operations = plans.reduce((sum, { scenario, plan }) => {
    const isCalm = scenario.faults.length === 0;
    return sum + (isCalm ? plan.threads * plan.rounds * scenario.keys * 2 : 0);
  }, 0);
  t.true(operations >= 5_000_000, `${operations} operations`);
  const deaths = plans
    .flatMap(({ plan }) => plan.faults)
    .filter((fault) => fault?.kind === 'kill' || fault?.kind === 'throw');
  t.true(deaths.length >= 500, `${deaths.length} deaths with seed ${seed}`);
  const values = (name: keyof Scenario): Set<unknown> =>
    new Set(scenarios.map((scenario) => scenario[name]));
  t.deepEqual(values('type'), new Set(Object.keys(stressTypes)));
  t.true([2, 4, 8].every((devices) => values('devices').has(devices)));
  t.true([1, 8].every((keys) => values('keys').has(keys)));
  t.true([16, 4 * 2 ** 20].every((bytes) => values('bytes').has(bytes)));
});

test('no list has a run that could not be checked', (t) => {
  for (const name of ['ci', 'soak'] as const) {
    for (const scenario of seeded(name)) t.is(scenarioProblem(scenario), undefined);
  }
});

test('of a group in which devices die, one lives', (t) => {
  for (const scenario of seeded('soak')) {
    const { faults, rounds } = planOf(scenario);
    if (scenario.faults.length === 0 || faults.length === 1) continue;
    t.true(faults.some((fault) => fault === undefined));
    t.true(faults.every((fault) => fault === undefined || fault.round < rounds));
  }
});
