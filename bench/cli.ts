import { Command, CommanderError } from 'commander';
import type { Bench, SizeName } from './harness.js';
import { varied, type Lists } from './points.js';

/** A mistake on the command line: one sentence, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the command line asks for. */
export interface Settings {
  /** The benches to run. */
  readonly benches: readonly Bench[];
  readonly size: SizeName;
  /** What to vary, and through which values. */
  readonly lists: Lists;
  /** Start rivals that have to be installed. */
  readonly outside: boolean;
  /** Rounds of each bench; without it, rounds fill a time. */
  readonly rounds: number | undefined;
  /** Print JSON lines, not tables. */
  readonly json: boolean;
  /** A file that gets the JSON lines too. */
  readonly out: string | undefined;
  /** Keep the JSON lines among the results of the repository. */
  readonly save: boolean;
}

interface Flags {
  readonly size: string;
  readonly devices?: string;
  readonly bytes?: string;
  readonly keys?: string;
  readonly floats?: string;
  readonly outside: boolean;
  readonly rounds?: string;
  readonly json: boolean;
  readonly out?: string;
  readonly save: boolean;
}

/** What the arguments ask for, or the help text when they ask for that. Throws `UsageError`. */
export function parseArguments(
  args: readonly string[],
  known: readonly Bench[],
): Settings | { readonly help: string } {
  const command = describeFlags(known);
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { help: command.helpInformation() };
    throw new UsageError(error.message.replace(/^error: /, ''));
  }
  return check(command.args, command.opts<Flags>(), known);
}

function describeFlags(known: readonly Bench[]): Command {
  const list = known.map(({ name, question }) => `  ${name.padEnd(14)}${question}`).join('\n');
  return new Command('npm run -s bench --')
    .description(`Measures the store against the machine's limit and its rivals.\n\n${list}`)
    .argument('[name...]', 'benches to run (default: all)')
    .option('--json', 'print one JSON object a line', false)
    .option('--size <size>', 'smoke (small, for tests) or full', 'full')
    .option('--rounds <count>', 'rounds of each bench (default: as many as fill a time)')
    .option(
      '--devices <counts>',
      'devices, where a bench has several (default: 4); 1,2,4 for three runs',
    )
    .option('--bytes <counts>', 'bytes of the one tensor, where a bench has one')
    .option('--keys <counts>', 'keys, where a bench has many')
    .option('--floats <counts>', 'elements of each of them')
    .option('--no-outside', 'leave out rivals that have to be installed')
    .option('--out <file>', 'write the JSON lines to a file too')
    .option('--save', 'keep them as bench/results/<date>-<name>.jsonl, options in the name', false)
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
}

function check(names: readonly string[], flags: Flags, known: readonly Bench[]): Settings {
  const { size, json, out, save } = flags;
  if (size !== 'smoke' && size !== 'full') {
    throw new UsageError(`--size expected smoke or full, got "${size}"`);
  }
  if (save && size !== 'full') throw new UsageError('--save expected --size full, got smoke');
  return {
    benches: names.length === 0 ? known : [...new Set(names)].map((name) => named(name, known)),
    size,
    lists: lists(flags),
    outside: flags.outside,
    rounds: flags.rounds === undefined ? undefined : count('--rounds', flags.rounds),
    json,
    out,
    save,
  };
}

function named(name: string, known: readonly Bench[]): Bench {
  const bench = known.find((each) => each.name === name);
  if (bench) return bench;
  const names = known.map((each) => each.name).join(', ');
  throw new UsageError(`expected the name of a bench (${names}), got "${name}"`);
}

function lists(flags: Flags): Lists {
  const asked = varied.filter((name) => flags[name] !== undefined);
  return Object.fromEntries(
    asked.map((name) => [name, flags[name]!.split(',').map((text) => count(`--${name}`, text))]),
  );
}

function count(flag: string, text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new UsageError(`${flag} expected an integer from 1 up, got "${text}"`);
}
