// Formats every file, or those that are named.
//
//   node scripts/format.mjs [file ...]
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const isNative = (file) => /\.(cc|h|cu)$/.test(file);

function run(program, ...args) {
  const { status } = spawnSync(join('node_modules', '.bin', program), args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exitCode = 1;
}

const named = process.argv.slice(2);
const native = readdirSync(join(root, 'native'), { recursive: true }).filter(isNative);
const cpp = named.length > 0 ? named.filter(isNative) : native.map((file) => join('native', file));
const others = named.length > 0 ? named.filter((file) => !isNative(file)) : ['.'];
if (others.length > 0) run('oxfmt', '--no-error-on-unmatched-pattern', ...others);
if (cpp.length > 0) run('clang-format', '-i', ...cpp);
