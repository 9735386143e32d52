import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { profiles, type ProfileName } from './profiles.js';
import {
  scenarioProblem,
  stressFaults,
  stressRules,
  stressTypes,
  type Scenario,
  type StressType,
} from './scenario.js';

/** What `tensorkv stress` was asked for. */
export interface StressOptions {
  /** One pass, without seeds: the i-th of pass p gets `seed + p * scenarios.length + i`. */
  readonly scenarios: readonly Omit<Scenario, 'seed'>[];
  readonly seed: number;
  /** Passes go on until so many minutes have gone by; 0: one pass. */
  readonly minutes: number;
  /** The longest that survivors of a death may wait. */
  readonly releaseMs: number;
  /** Where to write a page of what was found. */
  readonly report: string | undefined;
}

/** A command line that asks for what cannot be. */
export class UsageError extends Error {}

export const usage = `Usage: tensorkv stress [options]

Puts stores under concurrent calls, records all of them and checks what came back. Lists make every
combination.

  --type LIST         ${Object.keys(stressTypes).join(', ')}; all by default
  --devices LIST      threads that use the store, 2 by default; local and device have one, with so many values
  --keys LIST         8 by default
  --bytes LIST        of each value, 64 by default; 4k and 1m are 4096 and 1048576
  --ops N             operations of each device, 20000 by default
  --rule LIST         sum (default), assign, log: what the store does with pushes
  --faults LIST       kill, throw, stall: what befalls devices; nothing by default
  --on-death WHAT     continue (default) or abort
  --seed N            random by default; the same seed plans the same calls, but threads mix anew
  --minutes N         goes on with further seeds for so long
  --release-ms N      the longest that survivors of a death may wait, 2000 by default
  --report FILE       writes a page of what was found
  --profile NAME      ${Object.keys(profiles).join(' or ')}: a ready list of runs, instead of most options
  --help
`;

const texts = [
  ...['type', 'devices', 'keys', 'bytes', 'ops', 'rule', 'faults', 'on-death'],
  ...['seed', 'minutes', 'release-ms', 'report', 'profile'],
] as const;

/** Understands a command line after `stress`. Undefined: it asks for help. Throws `UsageError`. */
export function stressOptions(args: readonly string[]): StressOptions | undefined {
  const values = parsed(args);
  if (values['help'] === true) return undefined;
  const text = (name: string, fallback: string): string =>
    (values[name] as string | undefined) ?? fallback;
  const profile = values['profile'] as string | undefined;
  const ready = profile === undefined ? undefined : readyProfile(profile);
  return {
    scenarios: ready?.scenarios ?? combinations(text),
    seed: wholeNumber(text('seed', String(randomInt(2 ** 30))), 'seed', 0),
    minutes: number(text('minutes', String(ready?.minutes ?? 0)), 'minutes'),
    releaseMs: number(text('release-ms', '2000'), 'release-ms'),
    report: values['report'] as string | undefined,
  };
}

function parsed(args: readonly string[]): Readonly<Record<string, string | boolean | undefined>> {
  const options = Object.fromEntries(texts.map((name) => [name, { type: 'string' as const }]));
  try {
    const config = { args: [...args], options: { ...options, help: { type: 'boolean' as const } } };
    return parseArgs(config).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readyProfile(name: string): (typeof profiles)[ProfileName] {
  if (Object.hasOwn(profiles, name)) return profiles[name as ProfileName];
  throw new UsageError(`--profile expected ${Object.keys(profiles).join(' or ')}, got ${name}`);
}

function combinations(text: (name: string, fallback: string) => string): Omit<Scenario, 'seed'>[] {
  const types = Object.keys(stressTypes) as StressType[];
  const ops = wholeNumber(text('ops', '20000'), 'ops', 1);
  const faults = names(text('faults', ''), stressFaults, 'faults');
  const [onDeath] = names(text('on-death', 'continue'), ['continue', 'abort'] as const, 'on-death');
  const lists = {
    types: text('type', 'all') === 'all' ? types : names(text('type', ''), types, 'type'),
    devices: numbers(text('devices', '2'), 'devices'),
    keys: numbers(text('keys', '8'), 'keys'),
    bytes: numbers(text('bytes', '64'), 'bytes'),
    rules: names(text('rule', 'sum'), stressRules, 'rule'),
  };
  const all = lists.types.flatMap((type) =>
    lists.devices.flatMap((devices) =>
      lists.keys.flatMap((keys) =>
        lists.bytes.flatMap((bytes) =>
          lists.rules.map((rule) => ({
            ...{ type, devices, keys, bytes, rule, ops, faults },
            onDeath: onDeath ?? ('continue' as const),
          })),
        ),
      ),
    ),
  );
  for (const scenario of all) {
    const problem = scenarioProblem({ ...scenario, seed: 0 });
    if (problem !== undefined) throw new UsageError(problem);
  }
  if (all.length === 0) throw new UsageError('expected a type, devices, keys and bytes, got none');
  return all;
}

function names<Name extends string>(
  list: string,
  known: readonly Name[],
  option: string,
): readonly Name[] {
  return split(list).map((each) => {
    const name = known.find((one) => one === each);
    if (name === undefined) {
      throw new UsageError(`--${option} expected some of ${known.join(', ')}, got ${each}`);
    }
    return name;
  });
}

function numbers(list: string, option: string): number[] {
  return split(list).map((each) => wholeNumber(each, option, 1));
}

function wholeNumber(text: string, option: string, least: number): number {
  const match = /^(\d+)([km]?)$/i.exec(text);
  const unit = { '': 1, k: 2 ** 10, m: 2 ** 20 }[match?.[2]?.toLowerCase() ?? ''] ?? 1;
  const value = Number(match?.[1]) * unit;
  if (value >= least && Number.isSafeInteger(value)) return value;
  throw new UsageError(`--${option} expected a whole number from ${least} up, got ${text}`);
}

function number(text: string, option: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new UsageError(`--${option} expected a number from 0 up, got ${text}`);
}

function split(list: string): string[] {
  return list.split(',').filter((each) => each !== '');
}

/** The command that runs just this scenario again. */
export function replayCommand(scenario: Scenario): string {
  const { type, devices, keys, bytes, ops, rule, faults, onDeath, seed } = scenario;
  const chaos = faults.length === 0 ? '' : ` --faults ${faults.join(',')} --on-death ${onDeath}`;
  return (
    `npx tensorkv stress --type ${type} --devices ${devices} --keys ${keys} --bytes ${bytes} ` +
    `--ops ${ops} --rule ${rule}${chaos} --seed ${seed}`
  );
}
