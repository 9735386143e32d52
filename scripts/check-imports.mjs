// Checks that imports point one way, that nothing imports itself in a circle, and that each outside
// thing has one door:
//
//   examples (by package name) -> src/*.ts -> actors -> native/{kernels,engine,cuda}.ts -> src/core
//   src/stress -> src/history, src/*.ts
//
//   node scripts/check-imports.mjs [folder of a repository]
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';

const root = process.argv[2] ?? join(import.meta.dirname, '..');

/** What files of each folder may import of the repository; the first line that fits a file counts. */
const layers = [
  { files: /^src\/core\//, may: [/^src\/core\//] },
  { files: /^src\/history\//, may: [/^src\/(history|core)\//] },
  { files: /^src\/stress\//, may: [/^src\//] },
  {
    files: /^src\//,
    may: [/^src\/(?!history\/|stress\/)/, /^actors\//, /^native\/(kernels|cuda)\.ts$/],
  },
  {
    files: /^actors\//,
    may: [/^actors\//, /^native\/(kernels|types|engine)\.ts$/, /^src\/core\//],
  },
  { files: /^native\//, may: [/^native\//, /^src\/core\//] },
  { files: /^examples\//, may: [/^examples\//] },
  {
    files: /^bench\//,
    may: [/^bench\//, /^examples\/mnist\//, /^actors\//, /^native\//, /^src\/core\//],
  },
  { files: /^test\//, may: [/^/] },
];

/** Outside things that only one file of the library may import. */
const doors = [
  { module: /^comlink(\/|$)/, door: 'actors/rpc.ts' },
  { module: /^piscina$/, door: 'actors/pool.ts' },
  { module: /^node-gyp-build$/, door: 'native/addon.ts' },
  { module: /^tensorkv$/, door: 'nothing in the library' },
];
const workerDoor = 'actors/thread.ts';
const isLibrary = (file) => /^(src|actors|native)\//.test(file);

const statement =
  /^\s*(?:import|export)\b(?<names>[^'"();]*?)(?:\bfrom\s*)?['"](?<module>[^'"]+)['"]/gm;
const call = /\b(?:import|require)\(\s*(?<names>)['"](?<module>[^'"]+)['"]\s*\)/g;

/** Every import of a file: the module, what is taken of it, and whether it vanishes when compiled. */
function importsOf(file) {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(statement), ...text.matchAll(call)].map(({ groups }) => ({
    module: groups.module,
    names: groups.names,
    isType: /^\s*type\b/.test(groups.names),
    path: groups.module.startsWith('.') ? resolve(file, groups.module) : undefined,
  }));
}

/** The file of the repository that `module` means in `file`. */
function resolve(file, module) {
  const path = normalize(join(dirname(file), module))
    .split(sep)
    .join('/');
  const source = path.replace(/\.js$/, '.ts');
  return existsSync(join(root, source)) ? source : path;
}

function sources() {
  const folders = ['src', 'actors', 'native', 'examples', 'bench', 'test'];
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(ts|js|mjs|cjs)$/.test(entry.name))
        .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name))),
    )
    .map((file) => file.split(sep).join('/'));
}

function problemsOf(file, { module, names, path }) {
  const problems = [];
  const layer = layers.find(({ files }) => files.test(file));
  if (path !== undefined && !layer.may.some((allowed) => allowed.test(path))) {
    problems.push(`${file} may not import ${path}: imports point one way`);
  }
  if (!isLibrary(file)) return problems;
  for (const { module: outside, door } of doors) {
    if (outside.test(module) && file !== door) {
      problems.push(`${file} may not import ${module}: its door is ${door}`);
    }
  }
  const takesWorker = module === 'node:worker_threads' && /(^|[{,]\s*)Worker\b/.test(names);
  if (takesWorker && file !== workerDoor && !/^\s*type\b/.test(names)) {
    problems.push(`${file} may not import Worker: its door is ${workerDoor}`);
  }
  return problems;
}

/** The first circle of imports that are there when the program runs, as `a -> b -> a`. */
function circle(graph) {
  const done = new Set();
  const visit = (file, trail) => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    done.add(file);
    for (const next of graph.get(file) ?? []) {
      const found = visit(next, [...trail, file]);
      if (found) return found;
    }
    return undefined;
  };
  for (const file of graph.keys()) {
    const found = visit(file, []);
    if (found) return found.join(' -> ');
  }
  return undefined;
}

const files = sources().map((file) => ({ file, imports: importsOf(file) }));
const problems = files.flatMap(({ file, imports }) =>
  imports.flatMap((each) => problemsOf(file, each)),
);
const loop = circle(
  new Map(
    files.map(({ file, imports }) => [
      file,
      imports.filter(({ path, isType }) => path !== undefined && !isType).map(({ path }) => path),
    ]),
  ),
);
if (loop) problems.push(`imports in a circle: ${loop}`);
if (files.length === 0) problems.push(`no sources below ${root}`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
