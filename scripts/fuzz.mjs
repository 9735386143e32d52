// Feeds wrong input to what takes input, and looks for anything but a refusal.
//
//   node scripts/fuzz.mjs                          all targets, five million executions of each
//   node scripts/fuzz.mjs orders arguments         some of them
//   node scripts/fuzz.mjs orders --runs=100000     fewer of one
//   TENSORKV_SEED=7 node scripts/fuzz.mjs orders   the same input once more, of one process
//
// orders: requests as words, for the engine; libFuzzer, address and undefined sanitizer.
// arguments: every function of the addon in Node, address sanitizer.
// checkpoints: files that are almost right, for the reader in memory, and one of a thousand for `load`.
import { mkdirSync, readdirSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, environment, options, root, run, start as begin } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const tally = new Tally();
const isReplay = process.env.TENSORKV_SEED !== undefined;
const seed = Number(process.env.TENSORKV_SEED ?? randomInt(1, 2 ** 31));
const limitMs = 60 * 60_000;
/** What the sanitize script looks for on the way, at five times the time: stacks of returned functions. */
const quick = 'detect_stack_use_after_return=0:malloc_context_size=4:quarantine_size_mb=16';
/** Who allocated what is asked of a replay: to note it takes a sixth of a run that allocates much. */
const withoutStacks = ':malloc_context_size=1';
/** One a core: a collector on all of them is in the way. */
const node = ['node', '--single-threaded-gc'];
const compiled = (name) => join(root, 'dist', 'test', 'fuzz', name);

/**
 * Runs a program on every core, each with a share of the runs and a seed of its own, and notes how each
 * ended. A replay is one process with the seed that is given. `start(runs, seed)`: the command and its
 * environment; `say(output, seed)`: how it went, in a line.
 */
async function share(name, runs, start, say) {
  const cores = isReplay ? 1 : availableParallelism();
  const each = Math.ceil(runs / cores);
  const seeds = Array.from({ length: cores }, (_, core) => seed + core);
  await Promise.all(
    seeds.map(async (own) => {
      const { command, env } = start(each, own);
      const { passed, output } = await begin(command, { env, timeoutMs: limitMs });
      tally.note(passed, name, say(output, own), output);
    }),
  );
}

function quickened(env) {
  return { ...env, ASAN_OPTIONS: `${env.ASAN_OPTIONS}:${quick}` };
}

function lastLine(output) {
  return output.trim().split('\n').at(-1) ?? '';
}

async function orders(runs) {
  const folder = build('address', ['tensorkv_fuzz_orders']);
  const program = join(folder, 'build', 'tensorkv_fuzz_orders');
  const found = join(root, 'native', 'fuzz', 'corpus');
  const env = quickened(options('address'));
  // What was found once, first; then new input.
  const kept = readdirSync(found).map((file) => join(found, file));
  const replay = run([program, ...kept], { env, timeoutMs: limitMs });
  tally.note(replay.passed, 'orders found before', `${kept.length} files`, replay.output);
  if (!isReplay) env.ASAN_OPTIONS += withoutStacks;
  const start = (count, own) => {
    // A folder each: what another process finds is no input of this seed.
    const corpus = join(folder, `corpus-${own}`);
    mkdirSync(corpus, { recursive: true });
    // A pool that grows is not a leak: looking after each run would take most of the time.
    const flags = [
      `-runs=${count}`,
      `-seed=${own}`,
      '-max_len=48',
      '-detect_leaks=0',
      '-reduce_inputs=0',
    ];
    return { command: [program, ...flags, `-artifact_prefix=${folder}/`, corpus, found], env };
  };
  const say = (output, own) =>
    `${/Done \d+ runs in \d+ second/.exec(output)?.[0] ?? ''}, TENSORKV_SEED=${own}`;
  await share('orders', runs, start, say);
}

async function addonArguments(runs) {
  const folder = build('address', ['tensorkv']);
  const start = (count, own) => ({
    command: [...node, compiled('addon-arguments.js'), String(count)],
    env: { ...quickened(environment('address', folder)), TENSORKV_SEED: String(own) },
  });
  await share('arguments of the addon', runs, start, lastLine);
}

async function checkpoints(runs) {
  // Every file has a seed of its own, and a process that is given one makes that file alone.
  const env = isReplay ? { TENSORKV_SEED: String(seed) } : {};
  const start = (count) => ({ command: [...node, compiled('checkpoints.js'), String(count)], env });
  await share('checkpoints', runs, start, lastLine);
}

const targets = { orders, arguments: addonArguments, checkpoints };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5000000' } },
});
for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
  try {
    await targets[name](Number(values.runs));
  } catch (error) {
    tally.note(false, name, '', error.message);
  }
}
tally.end();
