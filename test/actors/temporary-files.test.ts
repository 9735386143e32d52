import { spawnSync } from 'node:child_process';
import * as nodeFs from 'node:fs';
import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { byteView, openCheckpoint, writeCheckpoint } from '../../actors/checkpoint-file.js';
import { removeStale, temporaryPath } from '../../actors/temporary-files.js';
import { temporaryFolder } from '../helpers/temporary.js';

/** The number of a process that has ended. */
const gone = spawnSync(process.execPath, ['--version']).pid;

/** A name that a process called `pid` could have given a temporary file of `path`. */
const nameOf = (path: string, pid: number): string =>
  temporaryPath(path).replace(`-${process.pid}-`, `-${pid}-`);

function save(path: string, fs = nodeFs): void {
  const bytes = byteView(Float32Array.of(1));
  writeCheckpoint(path, [{ name: 'x', dtype: 'float32', shape: [1], bytes }], new Map(), fs);
}

test('S16: a save removes what killed processes have left of this file', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  for (let i = 0; i < 3; i++) writeFileSync(nameOf(path, gone), 'half of it');
  save(path);
  t.deepEqual(readdirSync(folder), ['a.safetensors']);
  openCheckpoint(path).close();
});

test('S16: a save leaves alone what is not certainly the rest of a killed save of this file', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  const stale = basename(nameOf(path, gone));
  const others = {
    'of this process, by another thread': basename(temporaryPath(path)),
    'of a process that lives': basename(nameOf(path, process.ppid)),
    'of a process that may not be asked': basename(nameOf(path, 1)),
    'of another machine': stale.replace(/\.[0-9a-f]{8}-/, '.00000000-'),
    'of a number that is none': stale.replace(`-${gone}-`, '-9999999999-'),
    'of another file': basename(nameOf(join(folder, 'b.safetensors'), gone)),
    'of a file whose name this one begins': basename(nameOf(`${path}.b`, gone)),
    'of nobody': 'a.safetensors.tmp',
    'with more behind it': `${stale}.tmp`,
    'with more before it': `x${stale}`,
  };
  for (const name of Object.values(others)) writeFileSync(join(folder, name), 'something');
  save(path);
  for (const [what, name] of Object.entries(others)) t.true(existsSync(join(folder, name)), what);
});

test('S16: a link or a folder with the name of a temporary file is left as it is', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  const [link, dangling, inner] = [1, 2, 3].map(() => nameOf(path, gone)) as [
    string,
    string,
    string,
  ];
  const kept = join(folder, 'kept');
  writeFileSync(kept, 'of somebody');
  symlinkSync(kept, link);
  symlinkSync(join(folder, 'nothing'), dangling);
  mkdirSync(inner);
  save(path);
  t.true(lstatSync(link).isSymbolicLink() && lstatSync(dangling).isSymbolicLink());
  t.true(lstatSync(inner).isDirectory());
  t.is(nodeFs.readFileSync(kept, 'utf8'), 'of somebody');
});

test('S16: a save does without what it may not list or remove', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  const stale = nameOf(path, gone);
  writeFileSync(stale, 'half of it');
  const refuse = (): never => {
    throw new Error('not permitted');
  };
  save(path, { ...nodeFs, rmSync: refuse });
  save(path, { ...nodeFs, readdirSync: refuse as unknown as typeof nodeFs.readdirSync });
  t.true(existsSync(stale) && existsSync(path));
  removeStale(path);
  t.false(existsSync(stale));
});
