import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  readonly kills: number;
  /** Saves that were acknowledged, all together. */
  readonly saves: number;
  readonly problems: readonly string[];
}

const saver = fileURLToPath(new URL('./saver.js', import.meta.url));
const limitMs = 60_000;
/** A save makes eight file calls: kills fall into the first three. */
const mostCalls = 24;
const mostSaves = 4;
/** Most of them cannot be caught; the others nobody catches. */
const signals = ['SIGKILL', 'SIGKILL', 'SIGINT', 'SIGTERM'] as const;

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

/**
 * Kills `kills` processes one after the other while they save to one file, from the second on those that
 * have gone on from it: at a file call of their own (before, half-way through, after), or from outside.
 * Each has to find the newest save that was acknowledged, or the one after it, and whole.
 */
async function chain(random: Random, kills: number, path: string): Promise<KillReport> {
  const problems: string[] = [];
  let acknowledged = 0;
  let saves = 0;
  // One more, which looks for the last save.
  for (let i = 0; i <= kills && problems.length === 0; i++) {
    const isOwn = random.chance(0.6);
    const killAt = {
      count: 1 + random.integer(mostCalls),
      moment: random.pick(['before', 'half-way', 'after'] as const),
    };
    // Its own file calls are those of its own thread.
    const coordinator = isOwn || random.chance(0.5) ? 'inline' : 'thread';
    const plan = { path, coordinator, ...(isOwn ? { killAt } : {}) } as const;
    const blow = { signal: random.pick(signals), after: 1 + random.integer(mostSaves) };
    const killed = await runSaver(plan, isOwn ? undefined : blow);
    const { loaded, saved, signal, stderr } = killed;
    const says = `${JSON.stringify(plan)} after save ${acknowledged}: ${JSON.stringify(killed)}`;
    if (signal !== (isOwn ? 'SIGKILL' : blow.signal) || stderr !== '')
      problems.push(`it failed: ${says}`);
    else if (loaded !== acknowledged && loaded !== acknowledged + 1) {
      problems.push(`it found another save: ${says}`);
    }
    saves += Math.max(0, (saved ?? loaded ?? 0) - (loaded ?? 0));
    acknowledged = saved ?? loaded ?? acknowledged;
  }
  return { kills, saves, problems };
}

/** Kills processes in the midst of saves, two chains at a time. */
export async function killSavers(seed: number, kills: number): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-kills-'));
  try {
    const random = new Random(seed);
    const halves = [Math.ceil(kills / 2), Math.floor(kills / 2)];
    const chains = halves.map((count, i) => {
      return chain(new Random(random.integer(2 ** 31)), count, join(folder, `${i}.safetensors`));
    });
    const reports = await Promise.all(chains);
    return {
      kills,
      saves: reports.reduce((sum, report) => sum + report.saves, 0),
      problems: reports.flatMap(({ problems }) => problems),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
