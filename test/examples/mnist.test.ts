import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseArguments } from '../../examples/mnist/cli.js';
import { compare } from '../../examples/mnist/comparison.js';
import {
  askToStop,
  createControl,
  mayRun,
  openEpoch,
  waitForEpoch,
} from '../../examples/mnist/control.js';
import { reportLines } from '../../examples/mnist/report.js';
import type { EpochSummary } from '../../examples/mnist/training.js';
import { UserError } from '../../examples/mnist/user-error.js';
import { runProgram } from './programs.js';

const main = fileURLToPath(new URL('../../examples/mnist/main.js', import.meta.url));

async function run(args: readonly string[], onFirst?: (pid: number) => void) {
  const result = await runProgram(main, args, onFirst);
  return { ...result, lines: result.stdout.trimEnd().split('\n') };
}

const quick = ['--limit', '1024', '--epochs', '2', '--batch', '64', '--seed', '7'];

test('two runs of a seed end in the fixed lines, with the same weights', async (t) => {
  const first = await run([...quick, '--devices', '2']);
  const second = await run([...quick, '--devices', '2']);
  t.is(first.stderr, '');
  t.is(first.code, 0);
  const [accuracy, hash] = first.lines.slice(-2);
  t.regex(accuracy!, /^test accuracy \d+\.\d\d %$/);
  t.regex(hash!, /^weights sha256 [0-9a-f]{64}$/);
  t.deepEqual(second.lines.slice(-2), [accuracy, hash]);
  t.is(first.lines.filter((line) => line.startsWith('epoch ')).length, 2);
});

test('a comparison ends in a third fixed line', async (t) => {
  const { code, stderr, lines } = await run([...quick, '--devices', '2', '--compare']);
  t.is(stderr, '');
  t.is(code, 0);
  t.regex(lines.at(-3)!, /^test accuracy \d+\.\d\d %$/);
  t.regex(lines.at(-2)!, /^weights sha256 [0-9a-f]{64}$/);
  t.regex(lines.at(-1)!, /^2 devices \d+\.\d\d x one device$/);
});

for (const args of [
  ['--devices', '1'],
  ['--type', 'dist_async', '--devices', '2'],
]) {
  test(`trains with ${args.join(' ')}`, async (t) => {
    const { code, stderr, lines } = await run([...quick, ...args]);
    t.is(stderr, '');
    t.is(code, 0);
    const accuracy = Number(/^test accuracy (\d+\.\d\d) %$/.exec(lines.at(-2)!)?.[1]);
    t.true(accuracy > 50, lines.at(-2));
  });
}

test('an interrupt ends the program with 130, at any time, without a word', async (t) => {
  for (const delayMs of [0, 100, 300]) {
    const { code, stderr } = await run(['--devices', '2', '--compare'], (pid) =>
      setTimeout(() => process.kill(pid, 'SIGINT'), delayMs),
    );
    t.is(stderr, '');
    t.is(code, 130);
  }
});

const usageErrors: readonly (readonly [readonly string[], RegExp])[] = [
  [['--data', '/no/such/folder'], /^the MNIST set: there is no file .*\n$/],
  [['--devices', '0'], /^--devices expected an integer from 1 to 1024, got "0"\n$/],
  [['--limit', '100', '--devices', '2'], /^a step of 2 x 2048 images expected 4096 .*\n$/],
];
for (const [args, message] of usageErrors) {
  test(`${args.join(' ')}: one sentence and exit code 2`, async (t) => {
    const { code, stderr } = await run(args);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}

const badFlags: readonly (readonly [readonly string[], string])[] = [
  [['--devices', '-1'], '--devices expected an integer from 1 to 1024, got "-1"'],
  [['--devices', '1.5'], '--devices expected an integer from 1 to 1024, got "1.5"'],
  [['--devices', 'x'], '--devices expected an integer from 1 to 1024, got "x"'],
  [['--devices', ''], '--devices expected an integer from 1 to 1024, got ""'],
  [['--epochs', '0'], '--epochs expected an integer from 1 up, got "0"'],
  [['--batch', '0'], '--batch expected an integer from 1 up, got "0"'],
  [['--lr', '-0.1'], '--lr expected a number above 0, got "-0.1"'],
  [['--lr', 'NaN'], '--lr expected a number above 0, got "NaN"'],
  [['--lr', 'Infinity'], '--lr expected a number above 0, got "Infinity"'],
  [['--momentum', '1'], '--momentum expected a number from 0 to below 1, got "1"'],
  [['--seed', '-1'], '--seed expected an integer from 0 to 4294967295, got "-1"'],
  [
    ['--type', 'sync'],
    '--type expected one of dist_sync, dist_device_sync, dist_async, got "sync"',
  ],
  [['--cuda'], '--cuda expected --type dist_device_sync, got dist_sync'],
  [['--devices', '1', '--compare'], '--compare expected --devices from 2 up, got 1'],
  [['--speed', '1'], "unknown option '--speed'"],
  [['--lr'], "option '--lr <rate>' argument missing"],
];
for (const [args, message] of badFlags) {
  test(`the flags ${args.join(' ')} are refused in one sentence`, (t) => {
    t.throws(() => parseArguments(args), { instanceOf: UserError, message });
  });
}

test('a step takes at most 4,096 images by default', (t) => {
  const batches = ['1', '4', '8', '1024'].map((devices) => {
    const settings = parseArguments(['--devices', devices]);
    return 'help' in settings ? undefined : settings.batch;
  });
  t.deepEqual(batches, [2048, 1024, 512, 4]);
});

test('--help gives the flags, without those for tests', (t) => {
  const help = parseArguments(['--help']);
  if (!('help' in help)) return t.fail();
  t.regex(help.help, /--devices <count>/);
  t.notRegex(help.help, /--limit/);
});

test('devices that are asked to stop agree on the last step', (t) => {
  const control = createControl();
  openEpoch(control, 1);
  t.true(waitForEpoch(control, 0));
  t.true(mayRun(control, 1, 5));
  askToStop(control);
  // Rank 1 may be in step 5 before rank 0 sees the wish: both then run step 5, and neither step 6.
  t.true(mayRun(control, 0, 5));
  t.false(mayRun(control, 0, 6));
  t.false(mayRun(control, 1, 6));
  t.false(waitForEpoch(control, 1));
});

test('a comparison takes the quieter half of the pairs after the first, and their median', (t) => {
  const several = [9, 1, 2, 4, 4].map((seconds, epoch) => summary(epoch, seconds, epoch % 2));
  const single = [1, 9, 4, 9, 10].map((seconds, epoch) => summary(epoch, seconds, 0));
  const { speedUp, taken, pairs, otherCores } = compare(several, single);
  // Epochs 2 and 4, on which nothing else ran: 4 / 2 and 10 / 4.
  t.deepEqual([speedUp, taken, pairs, otherCores], [2.25, 2, 4, 0]);
});

test('the last lines of the report are fixed words', (t) => {
  const epochs = [1, 2].map((seconds, epoch) => summary(epoch, seconds, 0));
  const reference = [1, 3.5].map((seconds, epoch) => summary(epoch, seconds, 0));
  const settings = parseArguments(['--devices', '2', '--compare']);
  if ('help' in settings) return t.fail();
  const weightsHash = 'a'.repeat(64);
  const results = [{ weightsHash, isInPlace: true, accuracy: 0.97934 }];
  t.deepEqual(reportLines({ settings, epochs, reference, results }).slice(-3), [
    'test accuracy 97.93 %',
    `weights sha256 ${weightsHash}`,
    '2 devices 1.75 x one device',
  ]);
});

function summary(epoch: number, seconds: number, otherCores: number): EpochSummary {
  return { epoch, seconds, images: 1000, loss: 0.5, storeShare: 0.1, otherCores };
}
