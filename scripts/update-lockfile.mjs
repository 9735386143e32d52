// Writes package-lock.json anew from package.json: complete for every platform, and without the
// addresses of the registry it was made with.
//
//   node scripts/update-lockfile.mjs
//
// npm leaves out what other platforms need when node_modules exists, so it works in an empty folder.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
// With addresses at first: without them npm forgets the packages of other platforms.
const options = [
  '--package-lock-only',
  '--ignore-scripts',
  '--omit-lockfile-registry-resolved=false',
];

function npm(folder, ...args) {
  const spawnOptions = { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' };
  const { status } = spawnSync('npm', args, spawnOptions);
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed`);
}

/** The lock file without its `resolved` lines, still valid JSON. */
function withoutAddresses(text) {
  const lock = JSON.parse(text);
  for (const entry of Object.values(lock.packages)) delete entry.resolved;
  return `${JSON.stringify(lock, null, 2)}\n`;
}

const folder = mkdtempSync(join(tmpdir(), 'tensorkv-lock-'));
try {
  for (const file of ['package.json', '.npmrc']) copyFileSync(join(root, file), join(folder, file));
  const lockFile = join(folder, 'package-lock.json');
  npm(folder, 'install', ...options);
  writeFileSync(lockFile, withoutAddresses(readFileSync(lockFile, 'utf8')));
  // What is missing shows only here; the package's own scripts need its sources.
  npm(folder, 'ci', '--ignore-scripts');
  copyFileSync(lockFile, join(root, 'package-lock.json'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
