import { ReadyQueue } from '../../actors/ready-queue.js';
import type { Random } from '../helpers/random.js';
import { randomTest } from '../helpers/random-test.js';

interface Item {
  readonly name: number;
  priority: number;
}

/** What the queue is to do, plainly: a list in order of arrival. */
class Model {
  list: { readonly item: Item; readonly priority: number }[] = [];

  add(item: Item): void {
    const before = this.list.find((each) => each.item === item);
    if (before?.priority === item.priority) return;
    this.delete(item);
    this.list.push({ item, priority: item.priority });
  }

  delete(item: Item): void {
    this.list = this.list.filter((each) => each.item !== item);
  }

  get first(): Item | undefined {
    const highest = Math.max(...this.list.map(({ priority }) => priority));
    return this.list.find(({ priority }) => priority === highest)?.item;
  }
}

const sets = [[0], [0, 1], [-1, 0, 1], [3, 4], [-2, -1, 0, 0.5, 1e9]];

randomTest('a ready queue gives the highest priority, then the oldest', 200, async (t, random) => {
  const priorities = random.pick(sets);
  const items = Array.from({ length: 8 }, (_, name) => ({ name, priority: 0 }));
  const [queue, model] = [new ReadyQueue<Item>(), new Model()];
  for (let i = 0; i < 200; i++) {
    act(random, items, priorities, [queue, model]);
    if (queue.first !== model.first) {
      t.fail(`step ${i}: ${queue.first?.name}, not ${model.first?.name}`);
      return;
    }
  }
  t.pass();
});

function act(
  random: Random,
  items: readonly Item[],
  priorities: readonly number[],
  [queue, model]: readonly [ReadyQueue<Item>, Model],
): void {
  const item = random.pick(items);
  const dice = random.next();
  if (dice < 0.5) {
    item.priority = random.pick(priorities);
    queue.add(item);
    model.add(item);
  } else if (dice < 0.6) {
    queue.delete(item);
    model.delete(item);
  } else if (model.first !== undefined) {
    const { first } = model;
    queue.delete(first);
    model.delete(first);
  }
}
