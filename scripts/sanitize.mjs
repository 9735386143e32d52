// Native code under sanitizers, and what else finds its mistakes without a failing test:
//
//   node scripts/sanitize.mjs                          all of it
//   node scripts/sanitize.mjs kernels cuda engine addon runtime tidy   some of it
//   node scripts/sanitize.mjs engine --operations=N    more, or fewer, under the thread sanitizer
//
// kernels: the C++ tests of native/test, under address; those of threads under thread.
// cuda: the C++ tests of native/test/cuda, kernels in an emulator, under address.
// engine: native/stress, devices on threads with deaths and recalls, under thread.
// addon: the addon inside Node, a store under load, under thread and under address, leaks included; and
//   with a known race, which the thread sanitizer has to report.
// runtime: that of CUDA devices on the stand-in driver, under thread and under address.
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
/** Of the engine's decisions, as many as native/test/main.cc has. */
const schedules = 20_000;
/** A group is some devices that train, with settings, views and deaths, and a store that closes. */
const groups = 6;

/** Runs a program of each variant's build at once: they use one core each, for the most part. */
async function both(what, targetsOf, commandOf) {
  const names = ['thread', 'address'];
  const folders = names.map((name) => build(name, targetsOf(name)));
  await Promise.all(
    names.map(async (name, i) => {
      const { command, env } = commandOf(name, folders[i]);
      const { passed, output } = await start(command, { env, timeoutMs: limitMs });
      tally.note(passed, `${what} under ${name}`, output.trim().split('\n').at(-1), output);
    }),
  );
}

/** What kernels compute does not depend on threads: under thread that is left out. */
function kernels() {
  const programs = {
    thread: ['tensorkv_engine_tests', String(schedules)],
    address: ['tensorkv_tests'],
  };
  const targetsOf = (name) => [programs[name][0]];
  return both('kernels', targetsOf, (name, folder) => {
    const [target, ...args] = programs[name];
    return { command: [join(folder, 'build', target), ...args], env: options(name) };
  });
}

function cuda() {
  const folder = build('address', ['tensorkv_cuda_tests']);
  const program = join(folder, 'build', 'tensorkv_cuda_tests');
  const env = options('address');
  // A second stack for each of the emulator's threads would take most of the time.
  env.ASAN_OPTIONS += ':detect_stack_use_after_return=0';
  const { passed, output } = run([program], { env, timeoutMs: limitMs });
  tally.note(passed, 'CUDA under address', output.trim().split('\n').at(-1), output);
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
  await both('addon in Node', () => ['tensorkv'], load);
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

async function runtime() {
  const targetsOf = () => ['tensorkv_cuda_runtime_tests', 'tensorkv_stand_in'];
  const commandOf = (partsOf, asan) => (name, folder) => {
    const program = join(folder, 'build', 'tensorkv_cuda_runtime_tests');
    const standIn = join(folder, 'build', 'Release', 'tensorkv_stand_in.so');
    const env = { ...options(name), TENSORKV_CUDA_DRIVER: standIn, TENSORKV_NCCL: standIn };
    if (env.ASAN_OPTIONS !== undefined) env.ASAN_OPTIONS += asan;
    return { command: [program, ...partsOf(name)], env };
  };
  // A second stack for each of the emulator's threads would take most of the time.
  const usual = ':detect_stack_use_after_return=0';
  const threads = ['calls', 'programs', 'prepared', 'ends', 'broadcasts'];
  const parts = { thread: threads, address: [...threads, 'decoding', 'plain', 'fit'] };
  const usually = (name) => parts[name];
  await both('runtime of CUDA', targetsOf, commandOf(usually, usual));
  // What lies on a device that is lost cannot be given back.
  const lost = commandOf(() => ['faults'], `${usual}:detect_leaks=0`);
  await both('faults of CUDA', targetsOf, lost);
}

/** What takes headers of CUDA, or is made of the kernels. */
const needsToolkit = /(driver_check|nccl_check|fatbin)\.cc$/;

async function tidy() {
  ensure({ 'clang-tidy-19': ['clang-tidy-19'] });
  const folder = join(root, 'native', 'src');
  const files = readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.cc') && !needsToolkit.test(file))
    .map((file) => join(folder, file));
  const headers = ['node-api-headers/include', 'node-addon-api'].flatMap((each) => [
    '-isystem',
    join(root, 'node_modules', each),
  ]);
  const defines = [
    '-DTENSORKV_LEVEL=baseline',
    '-DTENSORKV_FATBIN="/dev/null"',
    '-DNAPI_VERSION=8',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL',
    '-DTENSORKV_CUDA',
  ];
  const flags = ['-std=c++20', `-I${folder}`, ...headers, ...defines];
  const command = (share) => ['clang-tidy-19', '--quiet', ...share, '--', ...flags];
  const { passed, output } = await runShared(command, files);
  tally.note(passed, 'clang-tidy', `${files.length} files`, output);
}

const parts = {
  kernels,
  cuda,
  engine,
  addon,
  runtime,
  tidy,
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    operations: { type: 'string', default: '10000000' },
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
// What a part has to compile is compiled while the part before it runs.
let before = Promise.resolve();
for (const part of wanted) {
  const running = runPart(part);
  await before;
  before = running;
}
await before;
tally.end();
