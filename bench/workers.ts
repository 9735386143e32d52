import { Worker } from 'node:worker_threads';
import type { Commands } from './commands.js';

/** Plain worker threads that do their work on command, without the store. */
export class CommandedWorkers {
  readonly commands: Commands;
  readonly #workers: readonly Worker[];

  /** Starts one worker at `entry` for each of `starts`, which it finds as its `workerData`. */
  constructor(entry: URL, commands: Commands, starts: readonly unknown[]) {
    this.commands = commands;
    this.#workers = starts.map((workerData) => {
      const worker = new Worker(entry, { workerData });
      worker.on('message', () => commands.done());
      worker.on('error', (error: unknown) => commands.lose(error as Error));
      worker.on('exit', () => commands.lose(new Error(`a worker of ${entry.href} has ended`)));
      return worker;
    });
  }

  /** Ends the workers, which wait for a command. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
