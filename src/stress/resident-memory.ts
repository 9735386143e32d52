/** How much more memory the last pass may leave than the first. */
const mostGrown = 256 * 2 ** 20;

/** What the process holds after each pass over all scenarios: what grows with every one leaks. */
export class ResidentMemory {
  readonly #samples: number[] = [];

  /** Notes what is held now, in bytes. */
  sample(bytes = process.memoryUsage.rss()): void {
    this.#samples.push(bytes);
  }

  line(): string {
    const shown = this.#samples.map((each) => (each / 2 ** 20).toFixed(0));
    const [first] = shown;
    const later = shown.length > 1 ? `, ${shown.at(-1)} MiB after the last of ${shown.length}` : '';
    return `resident memory: ${first} MiB after a pass${later}`;
  }

  /** Why it is too much, or undefined. */
  problem(): string | undefined {
    const grown = this.#samples.at(-1)! - this.#samples[0]!;
    if (grown <= mostGrown) return undefined;
    const most = `${mostGrown / 2 ** 20} MiB`;
    return `expected resident memory to grow by at most ${most}, got ${this.line()}`;
  }
}
