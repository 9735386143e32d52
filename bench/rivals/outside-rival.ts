import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Variant } from '../harness.js';

/** The exit code of a program that misses something it needs. */
const missingCode = 3;

/**
 * A rival that is a program of its own. It lives as long as the bench and answers commands, a line
 * each, so that its rounds and the store's take turns; it times itself, so that pipes are no part of
 * what is measured.
 *
 *     bench                  rival
 *                            ready
 *     step TIMES             took <µs of all> <µs of each> ...
 *     check                  wrong <elements that are not what two steps from zero give>
 *     end of input           ends; with code 3, before it is ready, where it misses what it needs
 */
export class OutsideRival {
  readonly variant: Variant;
  readonly #program: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<void>;
  readonly #roundsUs: number[] = [];
  readonly #answers: string[] = [];
  #failure: Error | undefined;
  #isMissing = false;
  #stderr = '';
  #wake: () => void = () => undefined;

  private constructor(command: string, args: readonly string[]) {
    this.#program = spawn(command, args, { stdio: 'pipe' });
    this.#exited = new Promise((resolve) => {
      this.#program.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') this.#isMissing = true;
        this.#fail(error);
        resolve();
      });
      this.#program.on('close', (code, signal) => {
        if (code === missingCode) this.#isMissing = true;
        this.#fail(new Error(`${command} ended with ${signal ?? code}: ${this.#stderr.trim()}`));
        resolve();
      });
    });
    // A program that has ended cannot be written to; how it ended is said by `close`.
    this.#program.stdin.on('error', () => undefined);
    this.#program.stderr.on('data', (text: Buffer) => (this.#stderr += text.toString()));
    createInterface(this.#program.stdout).on('line', (line) => {
      this.#answers.push(line);
      this.#wake();
    });
    this.variant = {
      run: (times) => this.#step(times),
      check: { holds: async () => (await this.#ask('check', 'wrong'))[0] === 0 },
      roundsUs: () => Float64Array.from(this.#roundsUs),
    };
  }

  /** Starts a rival; gives undefined if there is no such program, or it misses what it needs. */
  static async start(command: string, args: readonly string[]): Promise<OutsideRival | undefined> {
    const rival = new OutsideRival(command, args);
    try {
      await rival.#answer('ready');
      return rival;
    } catch (error) {
      if (rival.#isMissing) return undefined;
      throw error;
    }
  }

  /** Ends the program. */
  async close(): Promise<void> {
    this.#program.stdin.end();
    await this.#exited;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  async #step(times: number): Promise<number> {
    const [all, ...each] = await this.#ask(`step ${times}`, 'took');
    for (const us of each) this.#roundsUs.push(us);
    return all!;
  }

  #ask(command: string, word: string): Promise<number[]> {
    this.#program.stdin.write(`${command}\n`);
    return this.#answer(word);
  }

  /** The numbers of the next line that begins with `word`. Rejects when the program has ended. */
  async #answer(word: string): Promise<number[]> {
    for (;;) {
      const [first, ...numbers] = this.#answers.shift()?.split(' ') ?? [];
      if (first === word) return numbers.map(Number);
      if (first !== undefined) continue;
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
