// Puts known faults into the engine and the runtime of CUDA devices, one at a time and in a build of its own, and says which test
// catches each: a fault that passes is a hole in the tests. The shipped sources have no trace of it.
//
//   node scripts/mutants.mjs                 all of mutant-list.mjs
//   node scripts/mutants.mjs 'torn copy'     some of them
import { join } from 'node:path';
import { oneEachCore } from './each-core.mjs';
import { buildMutant } from './mutant-build.mjs';
import { mutants } from './mutant-list.mjs';
import { build, options, start } from './native-variants.mjs';
import { Tally } from './tally.mjs';

/** A program that hangs notices it by itself; this is for one that goes on for ever. */
const mostLimitMs = 5 * 60_000;
const operations = 100_000;
/** Of 10 ms or more: programs this short are never as long without an event, unless they hang. */
const watchdogTurns = 500;

/** What native/test/watchdog.h ends a program with. */
const hungStatus = 67;

const programs = {
  tests: { target: 'tensorkv_engine_tests', args: [] },
  stress: { target: 'tensorkv_stress', args: [String(operations)] },
  cuda: { target: 'tensorkv_cuda_runtime_tests', args: [] },
};

/** What a run that was caught says of itself, in a few words. */
function causeOf({ status, output }) {
  const check = /(\w+\.cc):\d+: (.*) is false/.exec(output);
  if (check !== null) return `${check[1]}: ${check[2]}`;
  const report = /SUMMARY: ThreadSanitizer: ([\w -]+?) (?:\/|\()/.exec(output);
  if (report !== null) return `ThreadSanitizer: ${report[1]}`;
  if (status === hungStatus) return 'it hung';
  return status === null ? 'it never ended' : 'it crashed';
}

/** `parts`: of the program, those that have to catch the fault. */
function runProgram(program, { by, parts = [] }) {
  return start([program, ...programs[by].args, ...parts], { env, timeoutMs: mostLimitMs });
}

/** A program without a fault has to pass. */
async function checkFaultless(by) {
  const { target } = programs[by];
  const { passed, output } = await runProgram(join(folder, 'build', target), { by });
  tally.note(passed, `${target} without a fault`, '', output);
}

async function check(mutant) {
  const { program, reason } = await buildMutant(folder, programs[mutant.by].target, mutant);
  if (program === undefined) {
    tally.note(false, mutant.name, reason);
    return;
  }
  const { target } = programs[mutant.by];
  const result = await runProgram(program, mutant);
  const what = result.passed
    ? `NOT caught by ${target}`
    : `caught by ${target}, ${causeOf(result)}`;
  tally.note(!result.passed, mutant.name, what);
}

const tally = new Tally();
const targets = Object.values(programs).map(({ target }) => target);
const folder = build('thread', [...targets, 'tensorkv_stand_in']);
const standIn = join(folder, 'build', 'Release', 'tensorkv_stand_in.so');
const env = {
  ...options('thread'),
  TENSORKV_CUDA_DRIVER: standIn,
  TENSORKV_NCCL: standIn,
  TENSORKV_WATCHDOG_TURNS: String(watchdogTurns),
};
const wanted = process.argv.slice(2);
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
// Side by side: a mutant that hangs costs the others nothing.
await oneEachCore([
  ...Object.keys(programs).map((by) => () => checkFaultless(by)),
  ...chosen.map((mutant) => () => check(mutant)),
]);
tally.end();
