import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArguments, UsageError, type Settings } from './cli.js';
import { efforts, measure, type Bench, type BenchOptions } from './harness.js';
import { thisCommit, thisMachine, type Machine } from './machine.js';
import { pointsOf } from './points.js';
import { toJsonLines, toTable, type Origin } from './report.js';

const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** In the sources, not beside the compiled file: results belong to the repository. */
const resultsFolder = join(import.meta.dirname, '..', '..', 'bench', 'results');

/**
 * Runs those of `benches` that the arguments say; returns the exit code of the process. `about` is added
 * to what results say of the machine.
 */
export async function runBenches(
  args: readonly string[],
  benches: readonly Bench[],
  about: Partial<Machine> = {},
): Promise<number> {
  try {
    const settings = parseArguments(args, benches);
    if ('help' in settings) process.stdout.write(settings.help);
    else await runAll(settings, about);
    return exitCodes.done;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  }
}

async function runAll(settings: Settings, about: Partial<Machine>): Promise<void> {
  const origin: Origin = {
    machine: { ...thisMachine(), ...about },
    commit: thisCommit(),
    date: today(),
  };
  if (settings.out !== undefined) startFile(settings.out);
  if (!settings.json) {
    const { cpu, cores, node } = origin.machine;
    process.stdout.write(`${cpu}, ${cores} cores, Node ${node}, commit ${origin.commit}\n\n`);
  }
  for (const bench of settings.benches) await runOne(bench, settings, origin);
}

/** Runs one bench at all points and sizes. Each is reported as it ends. */
async function runOne(bench: Bench, settings: Settings, origin: Origin): Promise<void> {
  const { size, lists, outside, json, out, save } = settings;
  const lines: string[] = [];
  for (const point of pointsOf(bench, size, lists)) {
    const options: BenchOptions = { ...point, outside };
    const asked = bench.sizeFor?.(options);
    for (const each of asked === undefined ? bench.sizes[size] : [asked]) {
      const effort = { ...efforts[size], rounds: settings.rounds };
      const measurements = await measure(bench, each, effort, options);
      const found = toJsonLines(bench, measurements, options, origin).map((line) => `${line}\n`);
      lines.push(...found);
      process.stdout.write(json ? found.join('') : `${toTable(bench, measurements)}\n`);
      if (out !== undefined) appendFileSync(out, found.join(''));
    }
  }
  if (!save) return;
  mkdirSync(resultsFolder, { recursive: true });
  // What was asked for beside devices is another question, and keeps its lines apart.
  const asked = Object.keys(lists).filter((name) => name !== 'devices');
  const file = [origin.date, bench.name, ...asked].join('-');
  writeFileSync(join(resultsFolder, `${file}.jsonl`), lines.join(''));
}

function startFile(path: string): void {
  try {
    writeFileSync(path, '');
  } catch (error) {
    throw new UsageError(`--out expected a file that can be written, got "${path}"`, {
      cause: error,
    });
  }
}

function today(): string {
  const now = new Date();
  const two = (x: number): string => String(x).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}
