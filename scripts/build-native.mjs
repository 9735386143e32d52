// Builds the native addon with CMake, or says once why that was not possible.
//
//   node scripts/build-native.mjs             build/Release/tensorkv.node
//   node scripts/build-native.mjs --prebuild  and a copy in prebuilds/, for the npm package
//
// TENSORKV_NATIVE=require turns a failed build into exit code 1.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const source = join(root, 'native');
const buildFolder = join(root, 'build');
const cacheFile = join(buildFolder, 'CMakeCache.txt');
const addon = join(buildFolder, 'Release', 'tensorkv.node');
const jobs = String(Math.min(availableParallelism(), 8));

/** A failure that the person who builds can mend: what happened, and the last lines of output. */
class BuildError extends Error {
  constructor(message, output = '') {
    super(message);
    this.output = output;
  }
}

function run(command, { cwd = root, env = process.env } = {}) {
  const [program, ...args] = command;
  const result = spawnSync(program, args, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (result.error?.code === 'ENOENT') throw new BuildError(`${program} is not installed`);
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.status !== 0)
    throw new BuildError(`${command.slice(0, 3).join(' ')} … failed`, output);
  return output;
}

/** cmake-js knows generators, header folders and the like; run by hand so that success is silent. */
async function configureCommand() {
  let cmakeJs;
  try {
    cmakeJs = createRequire(import.meta.url)('cmake-js');
  } catch {
    throw new BuildError('cmake-js is not installed');
  }
  const options = { directory: source, out: buildFolder, config: 'Release', isNodeApi: true };
  const cmake = new cmakeJs.CMake(options);
  if (!cmake.isAvailable) throw new BuildError('cmake is not installed');
  try {
    return await cmake.getConfigureCommand();
  } catch (error) {
    throw new BuildError(error.message);
  }
}

async function configure() {
  const command = await configureCommand();
  mkdirSync(buildFolder, { recursive: true });
  run(command, { cwd: buildFolder });
}

async function build() {
  const compile = ['cmake', '--build', buildFolder, '--config', 'Release', '--parallel', jobs];
  if (isConfigured()) {
    // Once configured, CMake itself sees what changed.
    try {
      run(compile);
      return;
    } catch {
      // Another compiler spoils the cache: once more from nothing.
    }
  }
  rmSync(cacheFile, { force: true });
  rmSync(join(buildFolder, 'CMakeFiles'), { recursive: true, force: true });
  await configure();
  run(compile);
}

/** Whether the cache is of this folder: that of a copied clone would build the sources it came from. */
function isConfigured() {
  if (!existsSync(cacheFile)) return false;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cacheFile, 'utf8'));
  return home?.[1] === source;
}

function copyToPrebuilds() {
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  // The tags tell node-gyp-build that any Node will do, but not another C library.
  const isMusl = process.platform === 'linux' && existsSync('/etc/alpine-release');
  const libc = process.platform === 'linux' ? (isMusl ? '.musl' : '.glibc') : '';
  mkdirSync(folder, { recursive: true });
  copyFileSync(addon, join(folder, `tensorkv.napi${libc}.node`));
}

/** An addon of older sources must not run behind newer TypeScript. */
function removeStaleAddon() {
  if (!existsSync(addon)) return;
  const builtMs = statSync(addon).mtimeMs;
  const files = readdirSync(source, { recursive: true }).map((name) => join(source, name));
  if (files.some((file) => statSync(file).mtimeMs > builtMs)) rmSync(addon);
}

function warn(error) {
  const lines = error.output.split('\n').filter((line) => line.trim() !== '');
  const first = lines.findIndex((line) => /\berror: |CMake Error|undefined reference/.test(line));
  const cause = first === -1 ? lines.slice(-3) : lines.slice(first, first + 3);
  console.warn(
    [
      `warning: the native addon of tensorkv was not built: ${error.message.replace(/\.+$/, '')}.`,
      ...cause.map((line) => `  ${line.trim()}`),
      'Everything works without it, on the much slower TypeScript reference kernels.',
      'To build it, install CMake 3.18 or newer and a C++20 compiler (Debian: apt-get install ' +
        'cmake g++ make), run npm ci, then node scripts/build-native.mjs.',
    ].join('\n'),
  );
}

async function buildOrWarn({ prebuild }) {
  try {
    // A prebuilt binary of older sources must not be packed when this build fails.
    if (prebuild) {
      const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
      rmSync(folder, { recursive: true, force: true });
    }
    await build();
    if (prebuild) copyToPrebuilds();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    removeStaleAddon();
    warn(error);
    if (process.env.TENSORKV_NATIVE === 'require') process.exitCode = 1;
  }
}

const { values } = parseArgs({ options: { prebuild: { type: 'boolean' } } });
await buildOrWarn({ prebuild: values.prebuild });
