import test from 'ava';
import { EventQueue } from '../../actors/event-queue.js';

async function all<T>(queue: EventQueue<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const event of queue) events.push(event);
  return events;
}

test('events come in order, those before the end too', async (t) => {
  const queue = new EventQueue<number>(10, () => true);
  queue.push(1);
  const reading = all(queue);
  await Promise.resolve();
  queue.push(2);
  queue.push(3);
  queue.end();
  queue.push(4);
  t.deepEqual(await reading, [1, 2, 3]);
  t.deepEqual(await all(queue), []);
});

test('past its capacity the oldest events that may go give way', async (t) => {
  const queue = new EventQueue<number>(3, (event) => event % 2 === 0);
  for (let event = 0; event < 8; event++) queue.push(event);
  queue.end();
  t.deepEqual(await all(queue), [1, 3, 5, 7]); // Odd ones stay, be they more than the capacity.
});

test('a consumer may leave its loop and come back', async (t) => {
  const queue = new EventQueue<number>(10, () => true);
  for (const event of [1, 2, 3]) queue.push(event);
  for await (const event of queue) {
    t.is(event, 1);
    break;
  }
  queue.end();
  t.deepEqual(await all(queue), [2, 3]);
});

test('two consumers share the events and both end', async (t) => {
  const queue = new EventQueue<number>(10, () => true);
  const readers = [all(queue), all(queue)];
  await Promise.resolve();
  for (const event of [1, 2, 3, 4]) queue.push(event);
  queue.end();
  t.deepEqual((await Promise.all(readers)).flat().toSorted(), [1, 2, 3, 4]);
});
