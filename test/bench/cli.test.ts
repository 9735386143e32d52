import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { benches } from '../../bench/benches.js';
import { parseArguments, UsageError } from '../../bench/cli.js';

const program = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

function run(...args: readonly string[]) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

test('without arguments every bench runs at full size', (t) => {
  t.deepEqual(parseArguments([], benches), {
    benches,
    size: 'full',
    lists: {},
    outside: true,
    rounds: undefined,
    json: false,
    out: undefined,
    save: false,
  });
});

test('names and flags are taken as they are given', (t) => {
  const [first, second] = benches;
  const args = [
    second!.name,
    first!.name,
    second!.name,
    '--rounds',
    '3',
    '--devices',
    '8',
    '--no-outside',
  ];
  t.deepEqual(parseArguments([...args, '--json', '--size', 'smoke', '--out', 'file'], benches), {
    benches: [second, first],
    size: 'smoke',
    lists: { devices: [8] },
    outside: false,
    rounds: 3,
    json: true,
    out: 'file',
    save: false,
  });
});

test('help names every bench', (t) => {
  const parsed = parseArguments(['--help'], benches);
  const help = 'help' in parsed ? parsed.help : '';
  for (const { name } of benches) t.true(help.includes(name));
});

for (const args of [
  ['no-such-bench'],
  ['--no-such-flag'],
  ['--size', 'huge'],
  ['--size'],
  ['--rounds', '0'],
  ['--rounds', '1.5'],
  ['--devices', 'many'],
  ['--keys', '10,,100'],
  ['--save', '--size', 'smoke'],
]) {
  test(`${args.join(' ')} is refused in one sentence`, (t) => {
    const error = t.throws(() => parseArguments(args, benches), { instanceOf: UsageError });
    t.false(error.message.includes('\n'));
  });
}

test('a mistake on the command line is one line and exit code 2', async (t) => {
  const names = await run('reduce-sums');
  t.is(names.code, 2);
  t.is(names.stdout, '');
  t.regex(names.stderr, /^expected the name of a bench \(reduce-sum, .*\), got "reduce-sums"\n$/);
  const file = await run(
    'copy-1',
    '--size',
    'smoke',
    '--out',
    join(tmpdir(), 'no', 'such', 'file'),
  );
  t.is(file.code, 2);
  t.regex(file.stderr, /^--out expected a file that can be written, got .*\n$/);
});

test('--json prints one object a line, and --out writes the same to a file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tensorkv-bench-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const out = join(folder, 'lines.jsonl');
  const args = ['copy-1', 'copy-4', '--json', '--size', 'smoke', '--rounds', '3', '--out', out];
  const { code, stdout, stderr } = await run(...args);
  t.is(stderr, '');
  t.is(code, 0);
  const lines = stdout.trimEnd().split('\n');
  const found = lines.map((line) => JSON.parse(line) as { bench: string; rounds: number });
  t.deepEqual([...new Set(found.map(({ bench }) => bench))], ['copy-1', 'copy-4']);
  t.true(found.every(({ rounds }) => rounds === 3));
  t.is(await readFile(out, 'utf8'), stdout);
});

test('the tables name the machine, and every question asked', async (t) => {
  const { code, stdout } = await run('reduce-sum', '--size', 'smoke');
  t.is(code, 0);
  t.regex(stdout, /^.+, \d+ cores, Node v\d+\.\d+\.\d+, commit .+\n\nreduce-sum: Does /);
  t.regex(stdout, /\nlimit .* µs .* 1\.00 x .*\n/);
});
