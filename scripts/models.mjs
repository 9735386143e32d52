// Checks the models of test/models with spin: every interleaving of each, and that each of its mutants
// (`#if MUTANT == 1` and so on) breaks what the model holds.
//
//   node scripts/models.mjs            all models
//   node scripts/models.mjs pins pool  some of them
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ensure } from './debian-tools.mjs';
import { oneEachCore } from './each-core.mjs';
import { Tally } from './tally.mjs';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'test', 'models');
const mostStates = 1_000_000;
const depth = 3_000_000;

async function run(command, cwd) {
  const [program, ...args] = command;
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const pieces = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => pieces.push(piece));
  const [status] = await once(child, 'close');
  const output = Buffer.concat(pieces).toString();
  if (status !== 0) throw new Error(`${command.join(' ')} failed\n${output}`);
  return output;
}

/** States, how many there were, and the first error or ''. */
async function explore(file, mutant) {
  const place = mkdtempSync(join(tmpdir(), 'tensorkv-model-'));
  try {
    await run(['spin', '-a', `-DMUTANT=${mutant}`, file], place);
    await run(['gcc', '-O1', '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], place);
    const output = await run(['./pan', `-m${depth}`], place);
    const states = Number(/(\d+) states, stored/.exec(output)?.[1]);
    const errors = Number(/errors: (\d+)/.exec(output)?.[1]);
    const what = /^pan:\d+: (.*?) \(at depth/m.exec(output)?.[1] ?? '';
    if (/depth too small|out of memory/.test(output) || Number.isNaN(errors + states)) {
      throw new Error(`not all of it was seen\n${output}`);
    }
    return { states, found: errors === 0 ? '' : what };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Files that the comment at the top names and that are gone. */
function goneFiles(text) {
  const comment = text.slice(0, text.indexOf('*/'));
  return (comment.match(/[\w/-]+\.(?:cc|h|ts)\b/g) ?? []).filter(
    (file) => !existsSync(join(root, file)),
  );
}

/** The checks of one model, each of which notes what came of it. */
function checksOf(name) {
  const file = join(folder, `${name}.pml`);
  const text = readFileSync(file, 'utf8');
  const gone = goneFiles(text);
  if (gone.length > 0) tally.note(false, name, `its comment names ${gone.join(', ')}: gone`);
  const mutants = Math.max(
    0,
    ...[...text.matchAll(/MUTANT [!=]= (\d)/g)].map(([, n]) => Number(n)),
  );
  if (mutants === 0) tally.note(false, name, 'it has no mutant');
  return Array.from({ length: mutants + 1 }, (_, mutant) => () => check(name, file, mutant));
}

async function check(name, file, mutant) {
  const title = mutant === 0 ? name : `${name}, mutant ${mutant}`;
  try {
    const { states, found } = await explore(file, mutant);
    const passed = mutant === 0 ? found === '' && states < mostStates : found !== '';
    const verdict =
      mutant === 0 ? found || 'ok' : found === '' ? 'NOT caught' : `caught (${found})`;
    tally.note(passed, title, `${states} states, ${verdict}`);
  } catch (error) {
    tally.note(false, title, '', error.message);
  }
}

ensure({ spin: ['spin'], gcc: ['gcc', 'libc6-dev'] });
const all = readdirSync(folder).map((file) => basename(file, '.pml'));
const tally = new Tally();
await oneEachCore((process.argv.length > 2 ? process.argv.slice(2) : all).flatMap(checksOf));
tally.end();
