// Native code under sanitizers, and what else finds its mistakes without a failing test:
//
//   node scripts/sanitize.mjs                          all of it
//   node scripts/sanitize.mjs kernels engine addon tidy   some of it
//   node scripts/sanitize.mjs engine --operations=N    more, or fewer, under the thread sanitizer
//   node scripts/sanitize.mjs tidy --quick             the analyzer gives up on long functions sooner
//
// kernels: the C++ tests of native/test, under thread and under address.
// engine: native/stress, devices on threads with deaths and recalls, under thread.
// addon: the addon inside Node, a store under load, under thread and under address, leaks included; and
//   with a known race, which the thread sanitizer has to report.
// Address is address, leak and undefined: one build.
// tidy: clang-tidy, by .clang-tidy.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensure } from './debian-tools.mjs';
import { buildMutant } from './mutant-build.mjs';
import { mutants } from './mutant-list.mjs';
import { build, environment, options, root, run, runShared, start } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const tally = new Tally();
const limitMs = 10 * 60_000;
/** A group is some devices that train, with settings, views and deaths, and a store that closes. */
const groups = 6;

/** Runs a program of each variant's build at once: they use one core each, for the most part. */
async function both(what, target, commandOf) {
  const names = ['thread', 'address'];
  const folders = names.map((name) => build(name, [target]));
  await Promise.all(
    names.map(async (name, i) => {
      const { command, env } = commandOf(name, folders[i]);
      const { passed, output } = await start(command, { env, timeoutMs: limitMs });
      tally.note(passed, `${what} under ${name}`, output.trim().split('\n').at(-1), output);
    }),
  );
}

function kernels() {
  return both('kernels', 'tensorkv_tests', (name, folder) => {
    return { command: [join(folder, 'build', 'tensorkv_tests')], env: options(name) };
  });
}

function engine({ operations }) {
  const folder = build('thread', ['tensorkv_stress']);
  const program = join(folder, 'build', 'tensorkv_stress');
  const { passed, output } = run([program, String(operations)], {
    env: options('thread'),
    timeoutMs: limitMs,
  });
  tally.note(passed, 'engine under thread', output.trim().split('\n').at(-1), output);
}

/** A store under load, on the addon of a build. */
function load(name, folder) {
  const program = join(root, 'dist', 'test', 'sanitize', 'stress.js');
  return { command: ['node', program, String(groups)], env: environment(name, folder) };
}

async function addon() {
  await both('addon in Node', 'tensorkv', load);
  // A check that cannot fail is none: a race that is known has to be reported in the same run.
  const race = mutants.find(({ name }) => name === 'no lock');
  const { place, reason } = await buildMutant(build('thread', ['tensorkv']), 'tensorkv', race);
  let output = reason;
  if (place !== undefined) {
    const { command, env } = load('thread', place);
    ({ output } = await start(command, { env, timeoutMs: limitMs }));
  }
  const isReported = output.includes('WARNING: ThreadSanitizer: data race');
  const what = isReported ? 'reported' : 'NOT reported';
  tally.note(isReported, 'addon in Node under thread, with a known race', what, output);
}

async function tidy({ quick }) {
  ensure({ 'clang-tidy-19': ['clang-tidy-19'] });
  const folder = join(root, 'native', 'src');
  const files = readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.cc'))
    .map((file) => join(folder, file));
  const headers = ['node-api-headers/include', 'node-addon-api'].flatMap((each) => [
    '-isystem',
    join(root, 'node_modules', each),
  ]);
  const defines = [
    '-DTENSORKV_LEVEL=baseline',
    '-DNAPI_VERSION=8',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL',
  ];
  const flags = ['-std=c++20', `-I${folder}`, ...headers, ...defines];
  const fewer = ['-Xclang', '-analyzer-config', '-Xclang', 'max-nodes=20000']; // Of 225,000.
  const analysis = quick ? fewer.map((each) => `--extra-arg=${each}`) : [];
  const command = (share) => ['clang-tidy-19', '--quiet', ...analysis, ...share, '--', ...flags];
  const { passed, output } = await runShared(command, files);
  tally.note(passed, 'clang-tidy', `${files.length} files`, output);
}

const parts = {
  kernels,
  engine,
  addon,
  tidy,
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    operations: { type: 'string', default: '10000000' },
    quick: { type: 'boolean', default: false },
  },
});
async function runPart(part) {
  try {
    await parts[part](values);
  } catch (error) {
    tally.note(false, part, '', error.message);
  }
}
const wanted = positionals.length > 0 ? positionals : Object.keys(parts);
// clang-tidy has something to do while others leave a core idle.
const beside = wanted.filter((part) => part === 'tidy').map(runPart);
for (const part of wanted) if (part !== 'tidy') await runPart(part);
await Promise.all(beside);
tally.end();
