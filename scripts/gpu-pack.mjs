// Packs what the GPU's tests and benches need into one archive, for machines that have a driver and a
// C library and no more: Node, the addon, the compiled tests, and the packages they load.
//
//   node scripts/gpu-pack.mjs            build/gpu/tensorkv-gpu.tar.xz
//   node scripts/gpu-pack.mjs --check    and unpacks it, and runs what needs no GPU with nothing around it
//
// On the other machine: tar -xf tensorkv-gpu.tar.xz && tensorkv-gpu/run test (or bench, stand-in, cpu).
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ensure, has } from './debian-tools.mjs';
import { Tally } from './tally.mjs';

const root = join(import.meta.dirname, '..');
const name = 'tensorkv-gpu';
const folder = join(root, 'build', 'gpu', name);
const archive = `${folder}.tar.xz`;
const mostBytes = 40 * 2 ** 20;
/** What the tests and benches load beside the package's own dependencies. */
const loaded = ['ava', 'fast-check', 'commander'];

function sh(program, args, options = {}) {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
}

/** Folders of node_modules that hold `names` and all that they load, by the lock file. */
function packageFolders(names) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const found = new Set();
  const visit = (from, dependency, isOptional) => {
    const place = placeOf(packages, from, dependency);
    const isThere = place !== undefined && existsSync(join(root, place));
    if (!isThere) {
      if (isOptional) return;
      throw new Error(`${dependency} is not installed: run npm ci`);
    }
    if (found.has(place)) return;
    found.add(place);
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = packages[place];
    for (const next of Object.keys(dependencies)) visit(place, next, false);
    for (const next of Object.keys({ ...optionalDependencies, ...peerDependencies }))
      visit(place, next, true);
  };
  for (const each of names) visit('', each, false);
  return [...found];
}

/** Where `dependency` of the package at `from` is installed: as near as there is one. */
function placeOf(packages, from, dependency) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${dependency}`;
    if (packages[place] !== undefined) return place;
    if (at === '') return undefined;
    if (!at.includes('/node_modules/')) at = '';
  }
}

/** The libraries that Node and the addon load and a machine may lack: those of the compiler. */
function compilerLibraries(program) {
  return sh('ldd', [program])
    .split('\n')
    .map((line) => / => (\S+)/.exec(line)?.[1])
    .filter((path) => path !== undefined && /lib(stdc\+\+|gcc_s|atomic)\.so/.test(path));
}

function copy(from, to) {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  cpSync(join(root, from), join(folder, to), { recursive: true, dereference: true });
}

function pack() {
  rmSync(join(root, 'build', 'gpu'), { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  mkdirSync(join(folder, 'lib'));
  copyFileSync(process.execPath, join(folder, 'bin', 'node'));
  if (has('strip')) sh('strip', [join(folder, 'bin', 'node')]);
  for (const library of compilerLibraries(process.execPath)) {
    copyFileSync(library, join(folder, 'lib', basename(library)));
  }
  const others = ['package.json', 'ava.cuda.config.mjs', 'test/rows.json'];
  for (const each of [...others, 'dist', 'build/Release/tensorkv.node']) copy(each, each);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const each of packageFolders([...Object.keys(dependencies), ...loaded])) copy(each, each);
  sh('node', [join(import.meta.dirname, 'cuda-tests.mjs'), 'build']);
  const standIn = join(root, 'build', 'cuda', 'Release', 'tensorkv_stand_in.so');
  copyFileSync(standIn, join(folder, 'lib', basename(standIn)));
  copyFileSync(join(import.meta.dirname, 'gpu-run.sh'), join(folder, 'run'));
  chmodSync(join(folder, 'run'), 0o755);
  sh('tar', ['-C', dirname(folder), '-cf', archive, '-I', 'xz -6 -T0', name]);
  return statSync(archive).size;
}

/** Unpacks the archive somewhere else and runs a part of it without any environment. */
function runUnpacked(part) {
  const elsewhere = mkdtempSync(join(tmpdir(), 'tensorkv-gpu-'));
  try {
    sh('tar', ['-C', elsewhere, '-xf', archive]);
    return sh('env', ['-i', join(elsewhere, name, 'run'), part], { cwd: '/' });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
ensure({ xz: ['xz-utils'], tar: ['tar'] });
const tally = new Tally();
const bytes = pack();
tally.note(
  bytes < mostBytes,
  relative(root, archive),
  `${(bytes / 2 ** 20).toFixed(1)} MiB, below 40`,
);
for (const part of values.check ? ['cpu', 'stand-in'] : []) {
  try {
    tally.note(true, `unpacked, ${part}`, runUnpacked(part).trim().split('\n').at(-1).trim());
  } catch (error) {
    tally.note(
      false,
      `unpacked, ${part}`,
      '',
      `${error.stdout ?? ''}${error.stderr ?? ''}${error.message}`,
    );
  }
}
tally.end();
