import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../machine.js';

/** A line of a result file. Other fields are those of its bench. */
export interface Line {
  readonly bench: string;
  readonly size: number;
  readonly machine: Machine;
  readonly commit: string;
  readonly date: string;
  readonly [field: string]: unknown;
}

/** Lines by what a file is called after its date: the bench, and what was varied. */
export type Results = ReadonlyMap<string, readonly Line[]>;

/** The newest lines of each bench in `folder`, whose files are called `<date>-<name>.jsonl`. */
export function readResults(folder: string): Results {
  const results = new Map<string, readonly Line[]>();
  for (const file of readdirSync(folder).sort()) {
    const name = /^\d{4}-\d\d-\d\d-(.+)\.jsonl$/.exec(file)?.[1];
    // In the order of their dates: later files replace earlier ones.
    if (name !== undefined) results.set(name, parseLines(readFileSync(join(folder, file), 'utf8')));
  }
  return results;
}

/** The number that a line has under `path`, as `rivals.openmpi`; undefined if there is none. */
export function figure(line: Line, path: string): number | undefined {
  let value: unknown = line;
  for (const field of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[field];
  }
  return typeof value === 'number' ? value : undefined;
}

/** Where lines come from, in words; of several machines, commits or days all of them. */
export function originOf(lines: readonly Line[]): string {
  const all = (pick: (line: Line) => string): string => [...new Set(lines.map(pick))].join(', ');
  return [
    all(({ machine: { cpu, cores } }) => `${cpu}, ${cores} cores`),
    `Node ${all(({ machine }) => machine.node.replace(/^v/, ''))}`,
    `commit ${all(({ commit }) => commit)}`,
    all(({ date }) => date),
  ].join('; ');
}

function parseLines(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
