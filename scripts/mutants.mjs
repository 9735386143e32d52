// Puts known faults into the engine, one at a time and in a build of its own, and says which test
// catches each: a fault that passes is a hole in the tests. The shipped sources have no trace of it.
//
//   node scripts/mutants.mjs                 all of mutant-list.mjs
//   node scripts/mutants.mjs 'torn copy'     some of them
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { mutants } from './mutant-list.mjs';
import { build, options, root, run, start } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const source = join(root, 'native', 'src');
/** A fault may be that a run never ends: it gets so many times what a run without a fault takes. */
const patience = 5;
const leastLimitMs = 20_000;
const mostLimitMs = 10 * 60_000;
const operations = 100_000;
const flags = ['-std=c++20', '-O1', '-gline-tables-only', '-fsanitize=thread', '-pthread'];

const programs = {
  tests: { target: 'tensorkv_engine_tests', args: [] },
  stress: { target: 'tensorkv_stress', args: [String(operations)] },
};

function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file));
}

/** The text of `file` with a fault in it, or undefined where it has no place. */
function faulty({ file, changes }) {
  let text = readFileSync(join(source, 'engine', file), 'utf8');
  for (const [find, put] of changes) {
    if (text.split(find).length !== 2) return undefined;
    text = text.replace(find, () => put);
  }
  return text;
}

/** The program of a mutant, or why there is none. */
async function compile(folder, mutant) {
  const { name, file, by } = mutant;
  const text = faulty(mutant);
  if (text === undefined) return { reason: `${file} has changed: the fault has no place` };
  const place = join(folder, 'mutants', name.replaceAll(' ', '-'));
  // Headers are looked for beside the file that includes them: it has to be a copy too.
  cpSync(source, place, { recursive: true });
  const copy = join(place, 'engine', file);
  writeFileSync(copy, text);
  const changed = file.endsWith('.h') ? filesBelow(join(place, 'engine'), '.cc') : [copy];
  const objects = ['engine', 'kernels', 'level_baseline', programs[by].target]
    .flatMap((target) => filesBelow(join(folder, 'build', 'CMakeFiles', `${target}.dir`), '.o'))
    .filter((object) => !changed.some((each) => object.endsWith(`/engine/${basename(each)}.o`)));
  const program = join(place, 'program');
  const command = ['clang++-19', ...flags, ...changed, ...objects, '-o', program];
  const { passed, output } = await start(command);
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
function limits(folder) {
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

async function check(mutant) {
  const { program, reason } = await compile(folder, mutant);
  if (program === undefined) {
    tally.note(false, mutant.name, reason);
    return;
  }
  const { args, target } = programs[mutant.by];
  const result = await start([program, ...args], { env, timeoutMs: limitMs[mutant.by] });
  const what = result.passed
    ? `NOT caught by ${target}`
    : `caught by ${target}, ${causeOf(result)}`;
  tally.note(!result.passed, mutant.name, what);
}

const tally = new Tally();
const targets = Object.values(programs).map(({ target }) => target);
const folder = build('thread', targets);
const env = options('thread');
const limitMs = limits(folder);
const wanted = process.argv.slice(2);
const left = mutants.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
async function checkAll() {
  for (let next = left.shift(); next !== undefined; next = left.shift()) await check(next);
}
// One a core: a mutant that never ends costs the others nothing.
await Promise.all(Array.from({ length: availableParallelism() }, checkAll));
tally.end();
