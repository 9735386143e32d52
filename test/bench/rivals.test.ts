import test from 'ava';
import { outsideRivals } from '../../bench/rivals/outside.js';
import { OutsideRival } from '../../bench/rivals/outside-rival.js';
import { stepProblem } from '../../bench/step/problem.js';

/** A rival in a line of JavaScript: `answers` maps each command to what it says. */
function madeUp(answers: Readonly<Record<string, string>>, before = ''): readonly string[] {
  const program = `${before};
    const answers = ${JSON.stringify(answers)};
    console.log('some noise');
    console.log('ready');
    const lines = require('node:readline').createInterface(process.stdin);
    lines.on('line', (line) => {
      if (answers[line] === undefined) process.exit(1);
      console.log(answers[line]);
    });`;
  return ['-e', program];
}

const node = process.execPath;

test('a rival is asked for steps, and its own times are taken', async (t) => {
  const answers = { 'step 3': 'took 60.5 10 20 30', 'step 1': 'took 41 40', check: 'wrong 0' };
  const rival = await OutsideRival.start(node, madeUp(answers));
  const { run, check, roundsUs } = rival!.variant;
  t.is(await run(3), 60.5);
  t.is(await run(1), 41);
  t.deepEqual([...roundsUs!()], [10, 20, 30, 40]);
  t.true('holds' in check && (await check.holds()));
  await rival!.close();
  await t.throwsAsync(async () => run(1), { message: /ended with 0/ });
});

test('a rival with wrong weights does not hold', async (t) => {
  const rival = await OutsideRival.start(node, madeUp({ check: 'wrong 7' }));
  const { check } = rival!.variant;
  t.false('holds' in check && (await check.holds()));
  await rival!.close();
});

test('a rival that is not there, or misses what it needs, is no rival', async (t) => {
  t.is(await OutsideRival.start('no-such-program-of-tensorkv', []), undefined);
  t.is(await OutsideRival.start(node, madeUp({}, 'process.exit(3)')), undefined);
});

test('a rival that breaks says how, before it is ready and after', async (t) => {
  const broken = madeUp({}, 'console.error("no memory"); process.exit(1)');
  await t.throwsAsync(OutsideRival.start(node, broken), { message: /ended with 1: no memory$/ });
  const rival = await OutsideRival.start(node, madeUp({}));
  await t.throwsAsync(async () => rival!.variant.run(1), { message: /ended with 1/ });
  await rival!.close();
});

test('a rival that is installed does the step; one that is not is named', async (t) => {
  t.timeout(120_000);
  const names = ['openmpi', 'torchInProcess', 'ddpGloo'] as const;
  const { rivals, missing } = await outsideRivals(stepProblem([1000, 7], 3), names, true);
  for (const name of names) {
    const rival = rivals[name];
    t.is(missing.includes(`${name} missing`), rival === undefined);
    if (!rival) continue;
    const { run, check } = rival.variant;
    t.true(Number(await run(2)) > 0);
    t.true('holds' in check && (await check.holds()), name);
    await rival.close();
  }
});

test('nobody starts a rival unasked', async (t) => {
  const { rivals, missing } = await outsideRivals(stepProblem([1], 2), ['openmpi']);
  t.deepEqual([rivals, missing], [{}, '']);
});
