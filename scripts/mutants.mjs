// Puts known faults into the engine, one at a time and in a build of its own, and says which test
// catches each: a fault that passes is a hole in the tests. The shipped sources have no trace of it.
//
//   node scripts/mutants.mjs                 all of mutant-list.mjs
//   node scripts/mutants.mjs 'torn copy'     some of them
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { mutants } from './mutant-list.mjs';
import { build, environment, root, run } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const source = join(root, 'native', 'src', 'engine');
/** A fault may be that a run never ends: it gets so many times what a run without a fault takes. */
const patience = 8;
const leastLimitMs = 30_000;
const mostLimitMs = 10 * 60_000;
const operations = 300_000;
const flags = ['-std=c++20', '-O1', '-g', '-fsanitize=thread', '-Wno-unused', '-pthread'];

const programs = {
  tests: { target: 'tensorkv_engine_tests', args: [] },
  stress: { target: 'tensorkv_stress', args: [String(operations)] },
};

function objectsBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.o'))
    .map((file) => join(folder, file));
}

/** The program of a mutant, or why there is none. */
function compile(folder, { file, find, put, by }) {
  const text = readFileSync(join(source, file), 'utf8');
  if (text.split(find).length !== 2)
    return { reason: `${file} has changed: the fault has no place` };
  const place = join(folder, 'mutant');
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, file),
    text.replace(find, () => put),
  );
  const objects = ['engine', 'kernels', 'level_baseline', programs[by].target]
    .flatMap((target) => objectsBelow(join(folder, 'build', 'CMakeFiles', `${target}.dir`)))
    .filter((object) => !object.endsWith(`/engine/${file}.o`));
  const program = join(place, 'program');
  const command = ['clang++-19', ...flags, '-I', source, join(place, file), ...objects];
  const { passed, output } = run([...command, '-o', program]);
  return passed ? { program } : { reason: `it does not compile: ${output}` };
}

/** What a run that was caught says of itself, in a few words. */
function causeOf({ status, output }) {
  const check = /(\w+\.cc):\d+: (.*) is false/.exec(output);
  if (check !== null) return `${check[1]}: ${check[2]}`;
  const report = /SUMMARY: ThreadSanitizer: ([\w -]+?) (?:\/|\()/.exec(output);
  if (report !== null) return `ThreadSanitizer: ${report[1]}`;
  return status === null ? 'it never ended' : 'it crashed';
}

/** How long each program may take, from a run of it as it is; that has to pass. */
function limits(folder, env) {
  const times = Object.entries(programs).map(([name, { target, args }]) => {
    const started = performance.now();
    const program = join(folder, 'build', target);
    const { passed, output } = run([program, ...args], { env, timeoutMs: mostLimitMs });
    tally.note(passed, `${target} without a fault`, '', output);
    const limitMs = leastLimitMs + patience * (performance.now() - started);
    return [name, Math.round(limitMs)];
  });
  return Object.fromEntries(times);
}

const wanted = process.argv.slice(2);
const tally = new Tally();
const targets = Object.values(programs).map(({ target }) => target);
const folder = build('thread', targets);
const { TSAN_OPTIONS } = environment('thread', folder);
const limitMs = limits(folder, { TSAN_OPTIONS });
for (const mutant of mutants) {
  if (wanted.length > 0 && !wanted.includes(mutant.name)) continue;
  const { program, reason } = compile(folder, mutant);
  if (program === undefined) {
    tally.note(false, mutant.name, reason);
    continue;
  }
  const { args, target } = programs[mutant.by];
  const options = { env: { TSAN_OPTIONS }, timeoutMs: limitMs[mutant.by] };
  const result = run([program, ...args], options);
  const what = result.passed
    ? `NOT caught by ${target}`
    : `caught by ${target}, ${causeOf(result)}`;
  tally.note(!result.passed, mutant.name, what);
}
tally.end();
