/** What a queue orders: higher priority first. It may change while an item is queued. */
interface Prioritised {
  readonly priority: number;
}

/**
 * Items that want to go on, each once: the highest priority first, equal ones in the order they came.
 * An item is placed by the priority that it has when it is added; adding it again places it anew if
 * that has changed. While every priority is 0 it is one set.
 */
export class ReadyQueue<Item extends Prioritised> {
  readonly #plain = new Line<Item>();
  /** The lines of other priorities than 0 that are not empty, and these priorities, highest first. */
  readonly #lines = new Map<number, Line<Item>>();
  readonly #priorities: number[] = [];
  /** The items of those lines, and where they stand. */
  readonly #placed = new Map<Item, number>();

  add(item: Item): void {
    const { priority } = item;
    if (priority === 0 && this.#placed.size === 0) return this.#plain.add(item);
    const before = this.#placed.get(item) ?? (this.#plain.has(item) ? 0 : undefined);
    if (before === priority) return;
    if (before !== undefined) this.delete(item);
    if (priority === 0) return this.#plain.add(item);
    this.#placed.set(item, priority);
    this.#lineOf(priority).add(item);
  }

  delete(item: Item): void {
    const priority = this.#placed.size === 0 ? undefined : this.#placed.get(item);
    if (priority === undefined) return this.#plain.delete(item);
    const line = this.#lines.get(priority)!;
    line.delete(item);
    this.#placed.delete(item);
    if (line.first !== undefined) return;
    this.#lines.delete(priority);
    this.#priorities.splice(this.#priorities.indexOf(priority), 1);
  }

  /** The item whose turn it is. */
  get first(): Item | undefined {
    const [highest] = this.#priorities;
    if (highest === undefined) return this.#plain.first;
    const other = this.#lines.get(highest)!;
    return highest > 0 ? other.first : (this.#plain.first ?? other.first);
  }

  #lineOf(priority: number): Line<Item> {
    const known = this.#lines.get(priority);
    if (known) return known;
    const line = new Line<Item>();
    this.#lines.set(priority, line);
    const below = this.#priorities.findIndex((each) => each < priority);
    this.#priorities.splice(below < 0 ? this.#priorities.length : below, 0, priority);
    return line;
  }
}

/**
 * Items in the order they came. One iterator is kept: a new one for each item would pass over all
 * that were deleted before it.
 */
class Line<Item> {
  readonly #items = new Set<Item>();
  #rest: Iterator<Item> = this.#items.values();
  #first: Item | undefined;

  add(item: Item): void {
    this.#items.add(item);
  }

  has(item: Item): boolean {
    return this.#items.has(item);
  }

  delete(item: Item): void {
    this.#items.delete(item);
    if (this.#first === item) this.#first = undefined;
  }

  get first(): Item | undefined {
    if (this.#first !== undefined || this.#items.size === 0) return this.#first;
    let next = this.#rest.next();
    if (next.done === true) {
      this.#rest = this.#items.values();
      next = this.#rest.next();
    }
    this.#first = next.value as Item;
    return this.#first;
  }
}
