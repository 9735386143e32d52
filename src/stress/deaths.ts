import { recordedCount, type RecorderMemory } from '../history/recorder.js';

/** A device that died in a run. */
export interface Death {
  readonly rank: number;
  /** How many operations it had begun. */
  readonly moment: number;
  /** What it was doing. */
  readonly within: 'push' | 'pull' | 'no call';
  /** When its thread had ended, on the history's clock. */
  readonly exitNs: number;
  /** How long after that each call ended that others were in, in milliseconds. */
  readonly releasedMs: readonly number[];
}

/** Rows of one call are together, and no device has more in flight. */
const mostOpenRows = 4096;

/** What the records say about a death. Call it when all devices have ended. */
export function deathOf(
  { rank, exitNs }: { readonly rank: number; readonly exitNs: number },
  memories: readonly RecorderMemory[],
): Death {
  const memory = memories[rank]!;
  const moment = recordedCount(memory);
  const open = Array.from({ length: moment }, (_, at) => at).filter((at) => memory.ends[at] === 0);
  const kind = open.length === 0 ? undefined : memory.kinds[open[0]!];
  const releasedMs = memories
    .filter(({ device }) => device !== rank)
    .flatMap((other) => releaseOf(other, exitNs));
  const within = kind === undefined ? 'no call' : kind === 1 ? 'push' : 'pull';
  return { rank, moment, within, exitNs, releasedMs };
}

/** When the calls of a device ended that it was in at `exitNs`; one that died in them does not count. */
function releaseOf({ calls, ends, count }: RecorderMemory, exitNs: number): number[] {
  let after = count[0]!;
  while (after > 0 && calls[after - 1]! > exitNs) after -= 1;
  let last = 0;
  for (let at = Math.max(0, after - mostOpenRows); at < after; at++) {
    last = Math.max(last, ends[at]!);
  }
  return last > exitNs ? [(last - exitNs) / 1e6] : [];
}
