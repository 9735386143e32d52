import { execFile } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { KVStoreError, launch, type LaunchOptions, type WorkerGroup } from '../../src/index.js';
import type { ErrorCode } from '../../src/index.js';

/** The compiled module of a program in `test/workers`. */
export function program(name: string): URL {
  return new URL(`../workers/${name}.js`, import.meta.url);
}

/** Launches a program of `test/workers` on threads; the group ends with the test. */
export async function launchProgram<Result>(
  t: ExecutionContext,
  name: string,
  options: LaunchOptions,
): Promise<WorkerGroup<Result>> {
  const group = await launch<Result>(program(name), options);
  t.teardown(() => group.stop());
  return group;
}

/** What a child process left behind. */
export interface ChildResult {
  /** Its exit code, or null where `signal` ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const childLimitMs = 30_000;

/** Runs JavaScript in a process of its own, with the library as `lib`. A child that hangs is killed. */
export function runChild(code: string, env: Record<string, string> = {}): Promise<ChildResult> {
  const library = new URL('../../src/index.js', import.meta.url).href;
  const source = `import * as lib from ${JSON.stringify(library)};\n${code}`;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--input-type=module', '-e', source],
      { timeout: childLimitMs, env: { ...process.env, ...env } },
      (_, stdout, stderr) =>
        resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/** What an error is expected to say. */
export interface ExpectedError {
  readonly code: ErrorCode;
  readonly key?: string | number;
  readonly rank?: number;
  /** Every one of these stands in the message. */
  readonly says?: readonly string[];
}

/** Asserts that `call` rejects with just this error, and returns it. */
export async function rejects(
  t: ExecutionContext,
  call: Promise<unknown>,
  expected: ExpectedError,
): Promise<KVStoreError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isError(t, error, expected);
}

/** Asserts that `error` is just this error, and returns it. */
export function isError(
  t: ExecutionContext,
  error: unknown,
  { code, key, rank, says = [] }: ExpectedError,
): KVStoreError {
  if (!(error instanceof KVStoreError)) {
    t.fail(`expected a KVStoreError ${code}, got ${String(error)}`);
    throw error;
  }
  t.is(error.code, code, error.message);
  t.is(error.key, key, error.message);
  t.is(error.rank, rank, error.message);
  for (const words of says) t.true(error.message.includes(words), `${words}: ${error.message}`);
  return error;
}
