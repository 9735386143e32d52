import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { nativeMissingReason } from '../../native/kernels.js';

/** The folder of package.json; this file runs from dist/test/examples. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Where there is no addon, programs do not warn about it: that is another test's subject. */
const env = nativeMissingReason ? { ...process.env, TENSORKV_NATIVE: 'off' } : process.env;

/**
 * Runs a JavaScript file in a process of its own, to its end. `onFirst` is called with the process's
 * id and the first piece of its output.
 */
export async function runProgram(
  file: string,
  args: readonly string[] = [],
  onFirst: (pid: number, output: string) => void = () => undefined,
) {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.once('data', (chunk: Buffer) => onFirst(child.pid!, chunk.toString()));
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await once(child, 'exit')) as [number | null];
  const [stdout, stderr] = await output;
  return { code, stdout, stderr };
}

/**
 * What a program says it prints, in order: after each comment `// prints: ...` that line, or, when
 * the comment ends in a bare colon, the comment lines below it that are indented by two more spaces.
 */
export function promisedLines(source: string): string[] {
  const lines = source.split('\n');
  return lines.flatMap((line, i) => {
    const [, promise] = /\/\/ prints\b[^:]*:(.*)$/.exec(line) ?? [];
    if (promise === undefined) return [];
    if (promise.trim() !== '') return [promise.trim()];
    const below = lines.slice(i + 1).map((each) => /^ *\/\/   (.*)$/.exec(each)?.[1]);
    const end = below.indexOf(undefined);
    return (end < 0 ? below : below.slice(0, end)) as string[];
  });
}

/** The first line that is not as promised, in words; `…` in a promise stands for any text. */
export function brokenPromise(source: string, stdout: string): string | undefined {
  const promised = promisedLines(source);
  const printed = stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n');
  const count = Math.max(promised.length, printed.length);
  for (let i = 0; i < count; i++) {
    const [expected, got] = [promised[i], printed[i]];
    if (expected !== undefined && got !== undefined && matches(expected, got)) continue;
    return `line ${i + 1}: expected ${expected ?? 'nothing'}, got ${got ?? 'nothing'}`;
  }
  return undefined;
}

function matches(expected: string, got: string): boolean {
  const parts = expected.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(got);
}
