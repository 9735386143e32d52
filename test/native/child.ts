import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** How a child process ended and what it said. */
export interface ChildResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node on `args` with these environment variables changed; `undefined` removes one. */
export async function runNode(
  args: readonly string[],
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<ChildResult> {
  const unset = { TENSORKV_NATIVE: undefined, TENSORKV_CPU: undefined, NODE_OPTIONS: undefined };
  const env = { ...process.env, ...unset, ...changes };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    closed,
  ]);
  return { code, stdout, stderr };
}
