import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

/** Where figures come from. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** The GPU and its driver, where the bench is about one. */
  readonly gpu?: string;
  readonly driver?: number;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown';
  return { cpu, cores: availableParallelism(), node: process.version };
}

/** The commit of the working tree, marked `-dirty` when it was edited since; or `unknown`. */
export function thisCommit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], options).trim();
  } catch {
    return 'unknown';
  }
}
