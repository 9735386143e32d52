import { createHash, randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The calls of `node:fs` that find and remove files; tests fail them one by one. */
export type Folder = Pick<typeof nodeFs, 'lstatSync' | 'readdirSync' | 'rmSync'>;

/**
 * A temporary file is called `NAME.WHERE-PID-RANDOM.tmp`: WHERE is a digest of the place in which PID
 * is the number of the process that writes it, and of no other that lives.
 */
const ending = /^([0-9a-f]{8}|x)-([1-9][0-9]{0,9})-[0-9a-f]{8}\.tmp$/;

/** WHERE of a place that cannot be told from others: its files stay. */
const nowhere = 'x';
const here = whereAmI();

/** A name beside `path` for what this process is about to write, one that nobody else takes. */
export function temporaryPath(path: string): string {
  return `${path}.${here}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/**
 * Removes what processes have left beside `path` that were killed while they wrote it: plain files
 * with a temporary name of `path` whose process is gone for certain. Where its number is in use, by
 * whomever, or is one of another machine or container, the file stays; so does what cannot be removed.
 */
export function removeStale(path: string, fs: Folder = nodeFs): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of attempt(() => fs.readdirSync(folder)) ?? []) {
    if (!name.startsWith(prefix)) continue;
    const [, where, pid] = ending.exec(name.slice(prefix.length)) ?? [];
    if (where !== here || where === nowhere || !isGone(Number(pid))) continue;
    attempt(() => {
      const file = join(folder, name);
      // As it lies there: a link is none, whatever it leads to, and a folder is none.
      if (fs.lstatSync(file).isFile()) fs.rmSync(file);
    });
  }
}

/** Whether no process has this number. One that may not be asked lives. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Linux: this boot and this namespace of process numbers. Elsewhere nobody can tell. */
function whereAmI(): string {
  const boot = attempt(() => nodeFs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const space = attempt(() => nodeFs.readlinkSync('/proc/self/ns/pid'));
  if (boot === undefined || space === undefined) return nowhere;
  return createHash('sha256')
    .update(boot + space)
    .digest('hex')
    .slice(0, 8);
}

/** What `action` gives, or undefined where it cannot be done. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
