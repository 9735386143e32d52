// Packs what the GPU's tests and benches need into one archive, for machines that have a driver and a
// C library and no more: Node, the addon, the compiled tests, and the packages they load.
//
//   node scripts/gpu-pack.mjs            build/gpu/tensorkv-gpu.tar.xz
//   node scripts/gpu-pack.mjs --check    and unpacks it, and runs what needs no GPU with nothing around it
//   node scripts/gpu-pack.mjs --without-kernels    of an addon that has none: it only runs on the stand-in
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

/** The libraries of a C library, which every machine has. */
const everywhere = /^(linux-vdso|ld-linux-[\w-]+|lib(c|m|dl|rt|pthread))\.so\b/;
/** Those of the compiler, which are packed. */
const packed = /^lib(stdc\+\+|gcc_s|atomic)\.so\b/;

/** The libraries that a program loads: names, and paths where they are found. */
function librariesOf(program) {
  const lines = sh('ldd', [program]).split('\n');
  return lines.flatMap((line) => {
    const found = /^\s*(\S+)(?: => (\/\S+|not found))?/.exec(line);
    return found === null ? [] : [{ name: basename(found[1]), path: found[2] }];
  });
}

/** The paths of libraries to pack for `programs`. Throws where one needs what no machine may have. */
function librariesToPack(programs) {
  const paths = new Set();
  for (const program of programs) {
    for (const { name: library, path } of librariesOf(program)) {
      if (everywhere.test(library)) continue;
      if (!packed.test(library) || path === undefined || path === 'not found') {
        throw new Error(`${relative(root, program)} needs ${library}, which the archive has not`);
      }
      paths.add(path);
    }
  }
  return [...paths];
}

/** Whether kernels for GPUs are in the addon: a fatbin begins with its magic number and version. */
function hasKernels(addon) {
  return readFileSync(addon).includes(
    Buffer.from([0x50, 0xed, 0x55, 0xba, 0x01, 0x00, 0x10, 0x00]),
  );
}

function copy(from, to) {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  cpSync(join(root, from), join(folder, to), { recursive: true, dereference: true });
}

function pack({ withoutKernels }) {
  const addon = join(root, 'build', 'Release', 'tensorkv.node');
  if (!withoutKernels && !hasKernels(addon)) {
    throw new Error('the addon has no kernels: build it where nvcc is, or say --without-kernels');
  }
  rmSync(join(root, 'build', 'gpu'), { recursive: true, force: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  mkdirSync(join(folder, 'lib'));
  copyFileSync(process.execPath, join(folder, 'bin', 'node'));
  if (has('strip')) sh('strip', [join(folder, 'bin', 'node')]);
  for (const library of librariesToPack([join(folder, 'bin', 'node'), addon])) {
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

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    'without-kernels': { type: 'boolean', default: false },
  },
});
ensure({ xz: ['xz-utils'], tar: ['tar'] });
const tally = new Tally();
let isPacked = false;
try {
  const bytes = pack({ withoutKernels: values['without-kernels'] });
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB, below 40`;
  isPacked = true;
  tally.note(bytes < mostBytes, relative(root, archive), size);
} catch (error) {
  tally.note(false, relative(root, archive), error.message);
}
for (const part of values.check && isPacked ? ['cpu', 'stand-in'] : []) {
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
