import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { Random } from '../helpers/random.js';
import type { SaverPlan } from './saver.js';

/** How a process that saved again and again ended, and what it had said. */
interface Killed {
  readonly signal: NodeJS.Signals | null;
  readonly loaded: number | undefined;
  /** The last save that it acknowledged. */
  readonly saved: number | undefined;
  readonly stderr: string;
}

/** What came of many kills. */
export interface KillReport {
  /** How many processes each signal has ended. */
  readonly kills: Readonly<Partial<Record<NodeJS.Signals, number>>>;
  /** Saves that were acknowledged, all together. */
  readonly saves: number;
  /** How often a process that was killed left a temporary file. */
  readonly leftovers: number;
  readonly problems: readonly string[];
}

const saver = fileURLToPath(new URL('./saver.js', import.meta.url));
const limitMs = 60_000;
/** A save makes a dozen file calls: kills fall into the first two. */
const mostCalls = 26;
const mostSaves = 3;
/** Of the kills that cannot be caught: those at a file call. */
const ownShare = 0.75;
/** These could be caught, and nobody does: so many beside one SIGKILL. */
const catchable = ['SIGINT', 'SIGTERM'] as const;
const catchableShare = 0.1;

/** The blow from outside: which, and after how many acknowledged saves. */
interface Blow {
  readonly signal: NodeJS.Signals;
  readonly after: number;
}

/** Runs a saver until it is killed: wherever it is in a save when the blow comes, if one does. */
async function runSaver(plan: SaverPlan, blow: Blow | undefined): Promise<Killed> {
  const child = spawn(process.execPath, [saver, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_, signal) => resolve(signal)),
  );
  const said: Record<string, number> = {};
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const [what, number] = line.split(' ');
    said[what!] = Number(number);
    if (what === 'saved' && ++count === blow?.after) child.kill(blow.signal);
  });
  const [signal, stderr] = await Promise.all([ended, text(child.stderr)]);
  return { signal, loaded: said['loaded'], saved: said['saved'], stderr };
}

/** A process to be killed: by itself, or by a blow. */
interface Kill {
  readonly plan: Omit<SaverPlan, 'path'>;
  readonly blow?: Blow;
}

function ownKill(random: Random): Kill {
  const killAt = {
    count: 1 + random.integer(mostCalls),
    moment: random.pick(['before', 'half-way', 'after'] as const),
  };
  // Its own file calls are those of its own thread.
  return { plan: { coordinator: 'inline', killAt } };
}

function blowOf(signal: NodeJS.Signals, random: Random): Kill {
  const coordinator = random.pick(['inline', 'thread'] as const);
  return { plan: { coordinator }, blow: { signal, after: 1 + random.integer(mostSaves) } };
}

/** `count` kills by SIGKILL and some by other signals, in random order. */
function killsOf(random: Random, count: number): readonly Kill[] {
  const kills = Array.from({ length: count }, () =>
    random.chance(ownShare) ? ownKill(random) : blowOf('SIGKILL', random),
  );
  for (let i = 0; i < count * catchableShare; i++) {
    kills.push(blowOf(catchable[i % catchable.length]!, random));
  }
  return random.shuffled(kills);
}

/**
 * Kills processes one after the other while they save to one file, from the second on those that have
 * gone on from it. Each has to find the newest save that was acknowledged, or the one after it, and
 * whole. The last one is not killed: its save leaves nothing but the file.
 */
async function chain(kills: readonly Kill[], path: string): Promise<KillReport> {
  const problems: string[] = [];
  const ended: Partial<Record<NodeJS.Signals, number>> = {};
  const last: Kill = { plan: { coordinator: 'thread', saves: 1 } };
  let [acknowledged, saves, leftovers] = [0, 0, 0];
  for (const { plan, blow } of [...kills, last]) {
    const killed = await runSaver({ ...plan, path }, blow);
    const { loaded, saved, signal, stderr } = killed;
    const expected = blow?.signal ?? (plan.killAt ? 'SIGKILL' : null);
    if (signal !== null) ended[signal] = (ended[signal] ?? 0) + 1;
    const says = JSON.stringify({ plan, blow, acknowledged, killed });
    if (signal !== expected || stderr !== '') problems.push(`it failed: ${says}`);
    else if (loaded !== acknowledged && loaded !== acknowledged + 1) {
      problems.push(`it found another save: ${says}`);
    }
    if (problems.length > 0) break;
    saves += Math.max(0, (saved ?? loaded ?? 0) - (loaded ?? 0));
    acknowledged = saved ?? loaded ?? acknowledged;
    const lies = readdirSync(dirname(path)).length - Number(existsSync(path));
    // A save removes what the one before has left.
    if (lies > (signal === null ? 0 : 1)) problems.push(`${lies} temporary files: ${says}`);
    leftovers += lies;
  }
  return { kills: ended, saves, leftovers, problems };
}

/**
 * Kills processes in the midst of saves, `count` of them by SIGKILL and some more by other signals: at
 * a file call of their own (before, half-way through, after), or from outside. Two chains at a time.
 */
export async function killSavers(seed: number, count: number): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-kills-'));
  try {
    const kills = killsOf(new Random(seed), count);
    const half = kills.length >> 1;
    const chains = [kills.slice(0, half), kills.slice(half)].map((each, i) => {
      const own = join(folder, String(i));
      mkdirSync(own);
      return chain(each, join(own, 'store.safetensors'));
    });
    return (await Promise.all(chains)).reduce(merged);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function merged(one: KillReport, other: KillReport): KillReport {
  const kills = { ...one.kills };
  for (const [signal, count] of Object.entries(other.kills) as [NodeJS.Signals, number][]) {
    kills[signal] = (kills[signal] ?? 0) + count;
  }
  return {
    kills,
    saves: one.saves + other.saves,
    leftovers: one.leftovers + other.leftovers,
    problems: [...one.problems, ...other.problems],
  };
}
