// The tests of CUDA devices, without a GPU: kernels in an emulator, the runtime and the addon on a driver
// that only stands in for one. What npm run build makes has to be there.
//
//   node scripts/cuda-tests.mjs              all of them
//   node scripts/cuda-tests.mjs cpp          those in C++
//   node scripts/cuda-tests.mjs node [...]   those in Node; the rest goes to ava
//   node scripts/cuda-tests.mjs build        none, but the stand-in is there
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root, run, start } from './native-variants.mjs';
import { Tally } from './tally.mjs';

const tally = new Tally();
const limitMs = 20 * 60_000;
const folder = join(root, 'build', 'cuda');
const standIn = join(folder, 'Release', 'tensorkv_stand_in.so');
const programs = ['tensorkv_cuda_tests', 'tensorkv_cuda_runtime_tests'];

/** What a program is started with to find the stand-in. */
const env = {
  TENSORKV_CUDA_DRIVER: standIn,
  TENSORKV_NVRTC: standIn,
  TENSORKV_NCCL: standIn,
  TENSORKV_NATIVE: 'require',
};

function must(what, command) {
  // Without nvcc: nothing here asks for the kernels themselves.
  const { passed, output } = run(command, { env: { TENSORKV_NVCC: '' } });
  if (!passed) tally.note(false, what, '', output);
  return passed;
}

/** Builds the stand-in, and the programs of `targets`. */
function build(targets) {
  const configure = [
    'cmake',
    '-S',
    'native',
    '-B',
    folder,
    '-DTENSORKV_ADDON=OFF',
    '-DTENSORKV_TESTS=ON',
    '-DTENSORKV_HIGHEST_LEVEL=baseline',
    `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(folder, 'Release')}`,
  ];
  const wanted = ['tensorkv_stand_in', ...targets].flatMap((target) => ['--target', target]);
  const jobs = ['--parallel', String(availableParallelism())];
  return (
    must('cmake', configure) && must('build', ['cmake', '--build', folder, ...jobs, ...wanted])
  );
}

async function cpp() {
  for (const name of programs) {
    const { passed, output } = await start([join(folder, name)], { env, timeoutMs: limitMs });
    tally.note(passed, name, output.trim().split('\n').at(-1), output);
  }
}

async function node(rest) {
  const ava = join('node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const command = ['node', ava, '--config', 'ava.cuda.config.mjs', '--tap', ...rest];
  const { status, output } = await start(command, { env, timeoutMs: limitMs });
  let count = 0;
  for (const [, fails, name] of output.matchAll(/^(not )?ok \d+ - (.*)$/gm)) {
    // Nothing is missing here that a test could be skipped for.
    tally.note(fails === undefined && !/# (SKIP|TODO)/.test(name), name);
    count += 1;
  }
  if (status !== 0 || count === 0) tally.note(false, 'ava', `status ${status}`, output);
}

const [part, ...rest] = process.argv.slice(2);
const isCpp = part === undefined || part === 'cpp';
if (build(isCpp ? programs : [])) {
  if (isCpp) await cpp();
  if (part === undefined || part === 'node') await node(rest);
  if (part === 'build') tally.note(true, standIn);
}
tally.end();
