import { availableParallelism } from 'node:os';
import { awaitCommand, Commands, isLastDone, type CommandWords } from '../commands.js';
import type { Variant } from '../harness.js';
import { byteLimit, type Traffic } from '../limit.js';
import { CommandedWorkers } from '../workers.js';

/** What each helper thread is given. */
export interface LimitStart {
  readonly words: CommandWords;
  readonly traffic: Traffic;
  readonly helpers: number;
}

/** `byteLimit` with the bytes shared out among as many threads as there are cores. */
export function limitOnAllCores({ read, updated = 0, written = 0 }: Traffic): {
  readonly variant: Variant;
  close(): Promise<void>;
} {
  const threads = availableParallelism();
  const share = (bytes: number): number => Math.ceil(bytes / threads);
  const traffic = { read: share(read), updated: share(updated), written: share(written) };
  const own = byteLimit(traffic);
  const commands = new Commands();
  const helpers = threads - 1;
  const start: LimitStart = { words: commands.words, traffic, helpers };
  const workers = new CommandedWorkers(
    new URL('./limit-thread.js', import.meta.url),
    commands,
    Array.from({ length: helpers }, () => start),
  );
  const variant: Variant = {
    run: async (times) => {
      const helped = helpers === 0 ? undefined : commands.start(times);
      await own.run(times);
      await helped;
    },
    check: own.check,
  };
  return { variant, close: () => workers.close() };
}

/** A helper thread: its share of the bytes, on command. `tell` answers the main thread. */
export function runLimitThread({ words, traffic, helpers }: LimitStart, tell: () => void): void {
  const { run } = byteLimit(traffic);
  for (let seen = 0; ; seen++) {
    const times = awaitCommand(words, seen);
    if (times === 0) return;
    void run(times); // Runs to its end before it returns.
    if (isLastDone(words, helpers)) tell();
  }
}
