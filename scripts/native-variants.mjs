// Builds of the native code for tests alone, beside the shipped one: instrumented by Clang. Node
// itself is not instrumented, so the sanitizer is preloaded.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { ensure } from './debian-tools.mjs';

export const root = join(import.meta.dirname, '..');

/** What a build is instrumented with, and how its runtime is told to report. */
const variants = {
  thread: {
    sanitize: 'thread',
    runtime: 'tsan',
    // Threads share the same memory at every level.
    highest: () => 'baseline',
    env: {
      TSAN_OPTIONS: [
        'ignore_noninstrumented_modules=1',
        'history_size=4',
        'halt_on_error=1',
        'exitcode=66',
      ].join(' '),
    },
  },
  address: {
    sanitize: 'address,undefined',
    runtime: 'asan',
    highest: highestHere,
    env: {
      ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1:exitcode=66',
      LSAN_OPTIONS: `suppressions=${join(root, 'native', 'stress', 'lsan.supp')}:print_suppressions=0`,
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    },
  },
};

const tools = {
  cmake: ['cmake'],
  make: ['make'],
  'clang++-19': ['clang-19', 'libclang-rt-19-dev'],
  // It finds the names of functions in a report, and suppressions go by names.
  'llvm-symbolizer-19': ['llvm-19'],
};

/** The kernels that this machine can run: others would be compiled for nothing. */
function highestHere() {
  return readFileSync('/proc/cpuinfo', 'utf8').includes('avx512vl') ? 'avx512' : 'avx2';
}

/** Runs a program; gives its output and whether it ended well. */
export function run(command, { env = {}, cwd = root, timeoutMs } = {}) {
  const [program, ...args] = command;
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const cause = error?.message ?? (signal === null ? '' : `ended by ${signal}`);
  return { passed: status === 0, status, output: `${stdout ?? ''}${stderr ?? ''}${cause}` };
}

/** Runs `command` on shares of `files`, one a core; the same as `run`. */
export async function runShared(command, files) {
  const shares = Array.from({ length: availableParallelism() }, (_, share) =>
    files.filter((_, i) => i % availableParallelism() === share),
  );
  const results = await Promise.all(shares.map((share) => start(command(share))));
  return {
    passed: results.every(({ passed }) => passed),
    output: results.map(({ output }) => output).join(''),
  };
}

/** The same as `run`, beside others. */
export async function start([program, ...args], { env = {}, timeoutMs } = {}) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const pieces = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => pieces.push(piece));
  const [status] = await once(child, 'close');
  return { passed: status === 0, status, output: Buffer.concat(pieces).toString() };
}

/** Builds `targets` of a variant and gives its folder. Throws with the compiler's output. */
export function build(name, targets) {
  ensure(tools);
  const { sanitize, highest } = variants[name];
  const folder = join(root, 'build', 'variants', name);
  const headers = ['node-api-headers/include', 'node-addon-api'];
  const configured = run([
    'cmake',
    '-S',
    'native',
    '-B',
    join(folder, 'build'),
    '-DCMAKE_CXX_COMPILER=clang++-19',
    `-DCMAKE_JS_INC=${headers.map((each) => join(root, 'node_modules', each)).join(';')}`,
    `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(folder, 'build', 'Release')}`,
    `-DTENSORKV_SANITIZE=${sanitize}`,
    `-DTENSORKV_HIGHEST_LEVEL=${highest()}`,
    '-DTENSORKV_TESTS=ON',
    `-DTENSORKV_FUZZ=${name === 'address' ? 'ON' : 'OFF'}`,
  ]);
  if (!configured.passed) throw new Error(configured.output);
  const wanted = targets.flatMap((target) => ['--target', target]);
  const jobs = ['--parallel', String(availableParallelism())];
  const built = run(['cmake', '--build', join(folder, 'build'), ...jobs, ...wanted]);
  if (!built.passed) throw new Error(built.output);
  return folder;
}

/** What a program of a variant is started with. */
export function options(name) {
  // The sanitizers look for the symbolizer by its plain name.
  return { ...variants[name].env, PATH: `${process.env.PATH}:/usr/lib/llvm-19/bin` };
}

/** What a Node process is started with to use the addon of a variant. */
export function environment(name, folder) {
  const { runtime } = variants[name];
  const file = `libclang_rt.${runtime}-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so`;
  const found = run(['clang++-19', `-print-file-name=${file}`]).output.trim();
  return {
    ...options(name),
    TENSORKV_NATIVE: 'require',
    TENSORKV_PREBUILD: folder,
    LD_PRELOAD: found,
  };
}
