import { createHash, randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** The calls of `node:fs` that find and remove files; tests fail them one by one. */
export type Folder = Pick<typeof nodeFs, 'readdirSync' | 'rmSync'>;

/**
 * A temporary file is called `NAME.WHERE-PID-RANDOM.tmp`: WHERE is a digest of the place in which PID
 * is the number of the process that writes it, and of no other that lives.
 */
const ending = /^([0-9a-f]{12})-([1-9][0-9]{0,9})-[0-9a-f]{12}\.tmp$/;

const here = whereAmI();

/** A name beside `path` for what this process is about to write, one that nobody else takes. */
export function temporaryPath(path: string): string {
  return `${path}.${here}-${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
}

/**
 * Removes what processes have left beside `path` that were killed while they wrote it: plain files
 * with a temporary name of `path` whose process is gone for certain. Where its number is in use, by
 * whomever, or is one of another machine or container, the file stays; so does what cannot be removed.
 */
export function removeStale(path: string, fs: Folder = nodeFs): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const file of filesIn(folder, fs)) {
    if (!file.name.startsWith(prefix)) continue;
    const found = ending.exec(file.name.slice(prefix.length));
    // As it lies there: a link is none, whatever it leads to, and a folder is none.
    if (found === null || !file.isFile()) continue;
    const [, where, pid] = found;
    if (where === here && isGone(Number(pid))) attempt(() => fs.rmSync(join(folder, file.name)));
  }
}

function filesIn(folder: string, fs: Folder): readonly nodeFs.Dirent[] {
  return attempt(() => fs.readdirSync(folder, { withFileTypes: true })) ?? [];
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

/** Linux: this boot and this namespace of process numbers; elsewhere the machine, by its name. */
function whereAmI(): string {
  const boot = attempt(() => nodeFs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const space = attempt(() => nodeFs.readlinkSync('/proc/self/ns/pid'));
  const place = boot === undefined || space === undefined ? hostname() : boot + space;
  return createHash('sha256').update(place).digest('hex').slice(0, 12);
}

/** What `action` gives, or undefined where it cannot be done. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
