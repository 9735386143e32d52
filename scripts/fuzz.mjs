// Feeds wrong input to what takes input, and looks for anything but a refusal.
//
//   node scripts/fuzz.mjs                          all targets, five million executions of each
//   node scripts/fuzz.mjs orders arguments         some of them
//   node scripts/fuzz.mjs orders --runs=100000     fewer of one
//   TENSORKV_SEED=7 node scripts/fuzz.mjs          the same input once more
//
// orders: requests as words, for the engine; libFuzzer, address and undefined sanitizer.
// arguments: every function of the addon in Node, address sanitizer.
// checkpoints: files that are almost right, for the reader in memory, and one of a thousand for `load`.
import { mkdirSync, readdirSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, environment, options, root, run } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const tally = new Tally();
const seed = process.env.TENSORKV_SEED ?? String(randomInt(1, 2 ** 31));
const limitMs = 60 * 60_000;
const compiled = (name) => join(root, 'dist', 'test', 'fuzz', name);

function lastLine(output) {
  return output.trim().split('\n').at(-1) ?? '';
}

function orders(runs) {
  const folder = build('address', ['tensorkv_fuzz_orders']);
  const program = join(folder, 'build', 'tensorkv_fuzz_orders');
  const found = join(root, 'native', 'fuzz', 'corpus');
  const settings = { env: options('address'), timeoutMs: limitMs };
  // What was found once, first; then new input, which stays in the build folder.
  const kept = readdirSync(found).map((file) => join(found, file));
  const replay = run([program, ...kept], settings);
  tally.note(replay.passed, 'orders found before', `${kept.length} files`, replay.output);
  const corpus = join(folder, 'corpus');
  mkdirSync(corpus, { recursive: true });
  // A pool that grows is not a leak: looking after each run would take most of the time.
  const flags = [`-runs=${runs}`, `-seed=${seed}`, '-max_len=48', '-detect_leaks=0'];
  const { passed, output } = run(
    [program, ...flags, `-artifact_prefix=${folder}/`, corpus, found],
    settings,
  );
  const done = /Done \d+ runs in \d+ second/.exec(output)?.[0] ?? '';
  tally.note(passed, 'orders', `${done}, TENSORKV_SEED=${seed}`, output);
}

function addonArguments(runs) {
  const folder = build('address', ['tensorkv']);
  const env = { ...environment('address', folder), TENSORKV_SEED: seed };
  const program = compiled('addon-arguments.js');
  const { passed, output } = run(['node', program, String(runs)], { env, timeoutMs: limitMs });
  tally.note(passed, 'arguments of the addon', lastLine(output), output);
}

function checkpoints(runs) {
  const command = ['node', compiled('checkpoints.js'), String(runs)];
  const { passed, output } = run(command, { timeoutMs: limitMs });
  tally.note(passed, 'checkpoints', lastLine(output), output);
}

const targets = { orders, arguments: addonArguments, checkpoints };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5000000' } },
});
for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
  try {
    targets[name](Number(values.runs));
  } catch (error) {
    tally.note(false, name, '', error.message);
  }
}
tally.end();
