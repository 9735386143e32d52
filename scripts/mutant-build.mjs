// Builds of the thread variant with a known fault in the engine or in the runtime of CUDA devices, linked
// from the objects of the build without one. The shipped sources have no trace of it.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root, start } from './native-variants.mjs';

const source = join(root, 'native', 'src');
/** As the build without a fault: its precompiled headers fit no others. */
const flags = [
  '-std=c++20',
  '-O1',
  '-DNDEBUG',
  '-gline-tables-only',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-fsanitize=thread',
];

/** How the addon is linked: it is loaded by a Node that is not instrumented. */
const shared = ['-shared', '-shared-libsan', '-Wl,-z,nodelete'];
const isAddon = (target) => target === 'tensorkv';

/** The libraries of objects that a target is made of, beside the kernels and its own. */
function librariesOf(target) {
  const cuda = ['cuda_runtime', 'cuda_plans'];
  if (isAddon(target)) return ['engine', ...cuda, 'cuda_fatbin']; // Tests have one of their own.
  if (target === 'tensorkv_cuda_runtime_tests') return cuda;
  return target === 'tensorkv_engine_tests' ? ['engine', 'engine_tests'] : ['engine'];
}

function filesBelow(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(folder, file));
}

/** The text of `file` with a fault in it, or undefined where it has no place. */
function faulty({ folder = 'engine', file, changes }) {
  let text = readFileSync(join(source, folder, file), 'utf8');
  for (const [find, put] of changes) {
    if (text.split(find).length !== 2) return undefined;
    text = text.replace(find, () => put);
  }
  return text;
}

/**
 * `target` of the build in `folder` with a fault in it, as `program` in a `place` of its own, or the
 * `reason` why there is none.
 */
export async function buildMutant(folder, target, mutant) {
  const { name, folder: part = 'engine', file } = mutant;
  const text = faulty(mutant);
  if (text === undefined) return { reason: `${file} has changed: the fault has no place` };
  const place = join(folder, 'mutants', `${target}-${name.replaceAll(' ', '-')}`);
  // Headers are looked for beside the file that includes them: it has to be a copy too.
  cpSync(source, place, { recursive: true });
  const copy = join(place, part, file);
  writeFileSync(copy, text);
  const changed = file.endsWith('.h') ? filesBelow(join(place, part), '.cc') : [copy];
  const objects = [...librariesOf(target), 'kernels', 'level_baseline', target]
    .map((each) => join(folder, 'build', 'CMakeFiles', `${each}.dir`))
    .flatMap((each) => (existsSync(each) ? filesBelow(each, '.o') : []))
    .filter((object) => !changed.some((each) => object.endsWith(`/${part}/${basename(each)}.o`)));
  const program = join(
    place,
    ...(isAddon(target) ? ['build', 'Release', 'tensorkv.node'] : ['program']),
  );
  mkdirSync(dirname(program), { recursive: true });
  const link = isAddon(target) ? shared : [];
  // Clang finds what it has made of them beside these headers.
  const headers = join(folder, 'build', 'CMakeFiles', 'engine.dir', 'cmake_pch.hxx');
  const sources = ['-include', headers, ...changed];
  const libraries = ['-ldl'];
  const command = [
    'clang++-19',
    ...flags,
    ...link,
    ...sources,
    ...objects,
    ...libraries,
    '-o',
    program,
  ];
  const { passed, output } = await start(command);
  return passed ? { place, program } : { reason: `it does not compile: ${output}` };
}
