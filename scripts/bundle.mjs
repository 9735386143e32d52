// Puts the modules of dist that every store, device and coordinator loads into one file, and has each
// of them hand on what it exports from there: a thread then opens a handful of files in place of 150,
// which was most of the time that one took to start. Whoever imports a module, a test too, gets what
// all the others get.
//
//   node scripts/bundle.mjs
//
// The entries of threads stay as they are: they do something when they are loaded. comlink is in it too,
// as ES modules: the first CommonJS module that is imported costs a thread a quarter of its start.
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const bundle = join(dist, 'src', 'bundle.js');
const entries = ['src/device-thread', 'actors/coordinator-thread'];
const roots = ['src/index', 'src/cuda', ...entries];
const options = { absWorkingDir: root, format: 'esm', platform: 'node', target: 'esnext' };

/** The modules behind the roots, without folder and ending, by name. */
async function reachable() {
  const { metafile } = await build({
    ...options,
    entryPoints: roots.map((name) => `${name}.ts`),
    outdir: dist,
    bundle: true,
    packages: 'external',
    write: false,
    metafile: true,
  });
  return Object.keys(metafile.inputs).map((path) => path.replace(/\.ts$/, ''));
}

/** What each module exports, types left out. */
async function exportsOf(names) {
  const { metafile } = await build({
    ...options,
    entryPoints: names.map((name) => `${name}.ts`),
    outdir: dist,
    outbase: root,
    write: false,
    metafile: true,
  });
  return Object.values(metafile.outputs).map(({ entryPoint, exports }) => ({
    name: entryPoint.replace(/\.ts$/, ''),
    exports,
  }));
}

/**
 * A class that mentions itself comes out as `var Tensor = class _Tensor`; errors and `console.log` say
 * that name. (The `keepNames` of esbuild costs a call for each closure that a call makes.)
 */
function withNames(text) {
  const names = [...text.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
  return text.replace(new RegExp(`\\b_(${names.join('|')})\\b`, 'g'), '$1');
}

/** The name that what module number `at` exports as `name` has in the bundle. */
const bundled = (at, name) => `${name}_${at}`;

const modules = (await exportsOf(await reachable()))
  .filter(({ name, exports }) => !entries.includes(name) && exports.length > 0)
  .sort((a, b) => (a.name < b.name ? -1 : 1));
const contents = modules
  .map(({ name, exports }, at) => {
    const names = exports.map((each) => `${each} as ${bundled(at, each)}`);
    return `export { ${names.join(', ')} } from './${name}.js';`;
  })
  .join('\n');
const { outputFiles } = await build({
  ...options,
  stdin: { contents, resolveDir: root, sourcefile: 'bundle.ts', loader: 'ts' },
  outfile: bundle,
  bundle: true,
  mainFields: ['module'],
  alias: { 'comlink/dist/umd/node-adapter.js': 'comlink/dist/esm/node-adapter.mjs' },
  sourcemap: true,
  write: false,
});
for (const { path, text } of outputFiles) {
  writeFileSync(path, path === bundle ? withNames(text) : text);
}
for (const [at, { name, exports }] of modules.entries()) {
  const file = join(dist, `${name}.js`);
  const names = exports.map((each) => `${bundled(at, each)} as ${each}`);
  const from = relative(dirname(file), bundle);
  const path = from.startsWith('.') ? from : `./${from}`;
  writeFileSync(file, `export { ${names.join(', ')} } from '${path}';\n`);
  rmSync(`${file}.map`, { force: true });
}
