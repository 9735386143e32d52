import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The folder of package.json; this file runs from dist/test/package. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A temporary folder that goes with the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'tensorkv-test-')));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files by their paths in `folder`. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** How a command ended and all that it said. */
export interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly stdout: string;
}

const limitMs = 100_000;

/** Runs a command to its end in `folder`. One that hangs is killed. */
export async function run(
  command: readonly [string, ...string[]],
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const options = { cwd: folder, env, timeout: limitMs, maxBuffer: 2 ** 26 };
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, output: `${stdout}${stderr}${code < 0 ? error!.message : ''}` });
    });
  });
}
