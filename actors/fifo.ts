/** First in, first out. An array alone takes as long for its first item as it has items. */
export class Fifo<T> {
  #items: T[] = [];
  /** Where the first one is; those before it have gone. */
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  /** The one that is next, if there is any. */
  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.first;
    if (item === undefined) return undefined;
    this.#items[this.#first++] = undefined as T; // It may go.
    if (this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Takes all of them. */
  takeAll(): T[] {
    const all = this.#items.slice(this.#first);
    this.#items = [];
    this.#first = 0;
    return all;
  }
}
