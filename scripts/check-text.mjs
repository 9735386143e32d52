// Checks what no other tool looks at: no file names a folder of somebody's machine or the address of
// a package registry, and the library reads no wall clock.
//
//   node scripts/check-text.mjs [folder of a repository]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? join(import.meta.dirname, '..');

const rules = [
  {
    where: /./,
    pattern: /(?<![\w.])\/(?:work|root|mnt|home\/\w+|Users\/\w+|var\/folders)\/\w/,
    why: 'names a folder of one machine',
  },
  {
    where: /./,
    pattern: /\/\/[\w.-]*\b(?:registry|artifactory|verdaccio|nexus)\b[\w.-]*/i,
    why: 'names a package registry',
  },
  {
    where: /package-lock\.json$/,
    pattern: /"resolved":/,
    why: 'holds an address: run node scripts/update-lockfile.mjs',
  },
  {
    where: /^(src|actors|native)\//,
    pattern: /\bDate\.now\(|\bnew Date\(\)/,
    why: 'reads the wall clock, which jumps: use monotonicMs()',
  },
  { where: /^(src|actors|native)\//, pattern: /\bdebugger\b/, why: 'stops in a debugger' },
  { where: /^test\/.*\.ts$/, pattern: /\btest(\.\w+)*\.only\(/, why: 'leaves other tests out' },
];

function files() {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error('git ls-files failed: is this a clone?');
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}

const problems = [];
for (const file of files()) {
  const text = readFileSync(join(root, file), 'utf8');
  if (text.includes('\0')) continue; // No text.
  for (const { where, pattern, why } of rules) {
    if (!where.test(file)) continue;
    const line = text.split('\n').findIndex((each) => pattern.test(each));
    if (line >= 0) problems.push(`${file}:${line + 1} ${why}`);
  }
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
