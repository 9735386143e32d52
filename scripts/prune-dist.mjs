// Removes what an earlier build left in dist whose source is gone, so that no test and no package
// holds it.
//
//   node scripts/prune-dist.mjs [folder of a repository]
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? join(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Prunes a folder below dist, itself too when nothing is left in it. */
function prune(folder) {
  for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) prune(path);
    else if (!hasSource(path)) rmSync(join(dist, path), { force: true });
  }
  if (readdirSync(join(dist, folder)).length === 0) rmdirSync(join(dist, folder));
}

function hasSource(path) {
  return existsSync(join(root, path.replace(/\.(d\.ts|js|js\.map)$/, '.ts')));
}

if (existsSync(dist)) prune('');
