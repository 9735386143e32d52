import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stressOptions } from '../../src/stress/options.js';
import { stressTypes } from '../../src/stress/scenario.js';
import { root, run, temporaryFolder, type Outcome } from '../package/project.js';

const cli = fileURLToPath(new URL('../../src/stress/cli.js', import.meta.url));
const tensorkv = (...args: string[]): Promise<Outcome> => run(['node', cli, ...args], root);
const small = ['--ops', '200', '--keys', '1,3'];

test.serial('every type of store passes, and the last line counts the runs', async (t) => {
  const { code, stdout, output } = await tensorkv('stress', ...small);
  t.is(code, 0, output);
  const lines = stdout.trimEnd().split('\n');
  t.is(lines.at(-1), `${2 * Object.keys(stressTypes).length} passed, 0 failed`, output);
  for (const type of Object.keys(stressTypes)) t.true(stdout.includes(`${type} sum `), type);
});

test.serial('a run that fails says how to run it again, and writes a report', async (t) => {
  const report = join(await temporaryFolder(t), 'report.html');
  // Nobody can be released in no time.
  const wanted = ['--type', 'dist_sync', '--devices', '4', '--ops', '2000', '--seed', '12'];
  const deadly = ['--faults', 'kill', '--release-ms', '0'];
  const { code, stdout, output } = await tensorkv(
    ...['stress', ...wanted, ...deadly, '--report', report],
  );
  t.is(code, 1, output);
  t.regex(stdout, /expected release within 0 ms of a death, got/);
  const again =
    'npx tensorkv stress --type dist_sync --devices 4 --keys 8 --bytes 64 --ops 2000 --rule sum ' +
    '--faults kill --on-death continue --seed 12';
  t.true(stdout.includes(`  again: ${again}\n`), stdout);
  t.true(stdout.endsWith('\n0 passed, 1 failed\n'), stdout);
  const page = await readFile(report, 'utf8');
  t.true(page.includes('0 passed, 1 failed') && page.includes(again));
});

test.serial('a run that cannot go on to its end is a failed one', async (t) => {
  const { code, stdout, output } = await tensorkv(
    'stress',
    '--ops',
    '9000000000000',
    '--type',
    'local',
  );
  t.is(code, 1, output);
  t.regex(stdout, /broke off: RangeError/);
  t.true(stdout.endsWith('\n0 passed, 1 failed\n'), stdout);
});

test.serial('what cannot be asked for is refused, with the ways to ask', async (t) => {
  for (const args of [
    ['stress', '--type', 'nonesuch'],
    ['stress', '--keys', '0'],
    ['stress', '--bytes', '1.5'],
    ['stress', '--speed', '9'],
    ['stress', '--type', 'dist_sync', '--rule', 'assign', '--faults', 'kill'],
    ['stress', '--profile', 'nonesuch'],
    ['nonesuch'],
    [],
  ]) {
    const { code, output, stdout } = await tensorkv(...args);
    t.is(code, 2, output);
    t.regex(output, /Usage: tensorkv stress/);
    t.is(stdout, '');
  }
  const help = await tensorkv('stress', '--help');
  t.is(help.code, 0);
  t.regex(help.stdout, /^Usage: tensorkv stress/);
});

test('lists make every combination, and units are understood', (t) => {
  const args = ['--type', 'local,dist_ssp', '--devices', '2,4', '--bytes', '4k,1m', '--seed', '5'];
  const { scenarios, seed, minutes } = stressOptions(args)!;
  t.is(scenarios.length, 8);
  t.deepEqual([...new Set(scenarios.map(({ bytes }) => bytes))], [4096, 1048576]);
  t.deepEqual([seed, minutes], [5, 0]);
});
