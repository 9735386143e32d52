/** Events for whoever reads them first, bounded: past `capacity` the oldest give way. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #mayDrop: (event: T) => boolean;
  readonly #events: T[] = [];
  #sleepers: (() => void)[] = [];
  #ended = false;

  /** Only events that `mayDrop` picks give way to newer ones. */
  constructor(capacity: number, mayDrop: (event: T) => boolean) {
    this.#capacity = capacity;
    this.#mayDrop = mayDrop;
  }

  push(event: T): void {
    if (this.#ended) return;
    this.#events.push(event);
    if (this.#events.length > this.#capacity) {
      const oldest = this.#events.findIndex(this.#mayDrop);
      if (oldest >= 0) this.#events.splice(oldest, 1);
    }
    this.#wake();
  }

  /** No more events; the consumer's loop ends after those that wait. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      while (this.#events.length > 0) yield this.#events.shift()!;
      if (this.#ended) return;
      await new Promise<void>((resolve) => this.#sleepers.push(resolve));
    }
  }
  #wake(): void {
    const sleepers = this.#sleepers;
    this.#sleepers = [];
    for (const wake of sleepers) wake();
  }
}
