/**
 * How the main thread of a bench says to device threads how often to do their work, without sending
 * them a message that would be part of what is measured. Int32 words that they share:
 *
 *     0  commands given so far    written by the main thread
 *     1  times, of the last one   written by the main thread, before word 0
 *     2  devices that are done    written by devices
 *
 * A command with no times asks the devices to end. The device that is done last says so with a
 * message, as a thread that ends does: the main thread then hears of either.
 */
const given = 0;
const timesOf = 1;
const doneCount = 2;
const words = 3;

const sliceMs = 1000;

/** The shared words, as a device gets them. */
export type CommandWords = Int32Array;

/** The main thread's side. */
export class Commands {
  readonly words: CommandWords = new Int32Array(new SharedArrayBuffer(words * 4));
  #pending: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #lost: Error | undefined;

  /** Has every device do its work `times` over. Resolves when the last one is done. */
  start(times: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      this.#pending = { resolve, reject };
      this.#give(times);
    });
  }

  /** Asks the devices to end. */
  stop(): void {
    this.#give(0);
  }

  /** The last device has said that it is done. */
  done(): void {
    this.#pending?.resolve();
    this.#pending = undefined;
  }

  /** A device is gone: rejects this command and all later ones. */
  lose(error: Error): void {
    this.#lost ??= error;
    this.#pending?.reject(this.#lost);
    this.#pending = undefined;
  }

  #give(times: number): void {
    Atomics.store(this.words, timesOf, times);
    Atomics.store(this.words, doneCount, 0);
    Atomics.add(this.words, given, 1);
    // At the other side: awaitCommand of each device.
    Atomics.notify(this.words, given);
  }
}

/** Device: blocks until the command after `seen` others; returns its times, 0 for the end. */
export function awaitCommand(shared: CommandWords, seen: number): number {
  while (Atomics.load(shared, given) === seen) {
    // At the other side: Commands of the main thread.
    Atomics.wait(shared, given, seen, sliceMs);
  }
  return Atomics.load(shared, timesOf);
}

/** Device: its part of the command is done. Returns whether it is the last of `devices`. */
export function isLastDone(shared: CommandWords, devices: number): boolean {
  return Atomics.add(shared, doneCount, 1) === devices - 1;
}
