/** Ways in which a thread ends that nobody has asked to. */
export const deaths = ['throw', 'exit', 'heap'] as const;
export type Death = (typeof deaths)[number];

/** Ends this thread, with `throw` as soon as what runs has returned. Returns only then. */
export function dieBy(how: Death): void {
  if (how === 'exit') process.exit(3);
  if (how === 'throw') {
    process.nextTick(() => {
      throw new RangeError('a fault');
    });
    return;
  }
  for (const kept: unknown[] = []; ;) kept.push(new Array<number>(100_000).fill(0.5));
}

/** Has a heap that is small enough to be filled soon; for the environment of a process. */
export const smallHeap = { NODE_OPTIONS: '--max-old-space-size=80' };
