import test from 'ava';
import { ResidentMemory } from '../../src/stress/resident-memory.js';
import type { ScenarioResult } from '../../src/stress/run-scenario.js';
import { isPassed, resultLine, Summary } from '../../src/stress/summary.js';

const result: ScenarioResult = {
  scenario: {
    ...({ type: 'dist_sync', devices: 2, keys: 1, bytes: 64, ops: 10 } as const),
    ...({ rule: 'sum', faults: ['kill'], onDeath: 'continue', seed: 1 } as const),
  },
  operations: 1000,
  seconds: 1,
  checkSeconds: 0.5,
  violations: [],
  problems: [],
  deaths: [{ rank: 1, moment: 7, within: 'push', exitNs: 5, releasedMs: [2, 4] }],
  isHung: false,
};

test('a table adds runs up, and counts deaths at distinct moments', (t) => {
  const summary = new Summary();
  summary.add(result);
  summary.add(result);
  summary.add({ ...result, scenario: { ...result.scenario, seed: 2 }, problems: ['x'] });
  const [head, row, all] = summary.table();
  t.regex(head!, /^type, rule, faults +runs +operations +violations +problems +hangs +deaths/);
  t.regex(row!, /^dist_sync sum kill +3 +3,000 +0 +1 +0 +2 +4\.0 +4\.0 +4\.0 +4\.5$/);
  t.is(all!.replace(/^all/, ''), row!.replace(/^dist_sync sum kill/, '').padStart(all!.length - 3));
});

test('a run passes without violations and problems', (t) => {
  t.true(isPassed(result));
  t.false(isPassed({ ...result, problems: ['it hangs'] }));
  const violation = { rule: 'r', key: 0, message: 'm', witness: [] };
  t.false(isPassed({ ...result, violations: [violation] }));
  t.regex(resultLine(result), /^ok {5}dist_sync 2 devices .* 1000 operations, 1 deaths/);
});

test('memory that grows from pass to pass is a problem', (t) => {
  const memory = new ResidentMemory();
  memory.sample(100 * 2 ** 20);
  memory.sample(300 * 2 ** 20);
  t.is(memory.problem(), undefined);
  memory.sample(400 * 2 ** 20);
  t.regex(memory.problem()!, /at most 256 MiB, got .* 100 MiB .* 400 MiB after the last of 3/);
});
