// Everything about the sources that can be checked without running them, one line a check.
//
//   node scripts/check.mjs            all checks
//   node scripts/check.mjs lint text  some of them
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { oneEachCore } from './each-core.mjs';

const root = join(import.meta.dirname, '..');
const native = join(root, 'native');
const script = (name) => ['node', join('scripts', name)];

const checks = {
  types: ['tsc', '-p', '.', '--noEmit'],
  lint: ['oxlint', '--type-aware', '--deny-warnings', '.'],
  imports: script('check-imports.mjs'),
  text: script('check-text.mjs'),
  rows: script('rows-without-tests.mjs'),
  api: [...script('api-docs.mjs'), '--check'],
  format: ['oxfmt', '--check', '.'],
  'native-format': ['clang-format', '--dry-run', '-Werror', ...nativeFiles()],
  package: script('check-package.mjs'),
};

function nativeFiles() {
  if (!existsSync(native)) return [];
  return readdirSync(native, { recursive: true })
    .filter((file) => /\.(cc|h|cu)$/.test(file))
    .map((file) => join('native', file));
}

async function run(name) {
  const [program, ...args] = checks[name];
  const PATH = join(root, 'node_modules', '.bin') + delimiter + process.env.PATH;
  const started = performance.now();
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const pieces = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => pieces.push(piece));
  const [status] = await once(child, 'close').catch(({ message }) => [message]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const passed = status === 0;
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (!passed)
    console.log(`${Buffer.concat(pieces)}${typeof status === 'string' ? status : ''}`.trimEnd());
  return passed;
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks);
const unknown = names.find((name) => !Object.hasOwn(checks, name));
if (unknown) throw new Error(`no check ${unknown}: there are ${Object.keys(checks).join(', ')}`);
const failed = [];
const isBuilding = (name) => name === 'package';
const check = (name) => async () => {
  if (!(await run(name))) failed.push(name);
};
await oneEachCore(names.filter((name) => !isBuilding(name)).map(check));
// It builds what the others read.
await oneEachCore(names.filter(isBuilding).map(check));
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
