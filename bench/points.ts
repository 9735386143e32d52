import type { Bench, BenchOptions, SizeName } from './harness.js';

/** What the command line lists to be varied. */
export type Lists = Readonly<Partial<Record<Varied, readonly number[]>>>;

/** An option that can be varied. */
export type Varied = (typeof varied)[number];

export const varied = ['devices', 'bytes', 'keys', 'floats'] as const;

const defaultDevices = 4;

/**
 * The points at which a bench is asked its question: every combination of what is listed, or what the
 * bench varies by itself when nothing is.
 */
export function pointsOf({ series }: Bench, size: SizeName, lists: Lists): readonly BenchOptions[] {
  const isAsked = Object.keys(lists).length > 0;
  let points: readonly Partial<BenchOptions>[] = (isAsked ? undefined : series?.[size]) ?? [{}];
  for (const name of varied) {
    const values = lists[name];
    if (values === undefined) continue;
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  }
  return points.map((point) => ({ devices: defaultDevices, ...point }));
}
