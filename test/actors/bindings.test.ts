import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { Binder, BindingTable, type BoundMessage } from '../../actors/bindings.js';
import type { Request, ToCoordinator, WireGroup } from '../../src/core/protocol.js';
import type { TensorHandle } from '../../src/index.js';
import { ones, zeros } from '../../src/index.js';

const push = (id: number, groups: readonly WireGroup[]): Request => ({
  type: 'push',
  push: groups,
  id,
  deadlineMs: 1,
});

/** What the other side of a port gets, views of shared memory included. */
const crossed = (batch: readonly BoundMessage[]): BoundMessage[] =>
  structuredClone(batch) as BoundMessage[];

test('a tensor crosses once and is a number from then on', (t) => {
  const [binder, table] = [new Binder(), new BindingTable()];
  const value = ones(3);
  const first = binder.encode([push(1, [{ key: 'a', tensors: [value, value] }])]);
  const second = binder.encode([push(2, [{ key: 'b', tensors: [value] }])]);
  t.false(JSON.stringify(second).includes('float32'));

  const [one] = table.decode(crossed(first)) as [Request & { push: WireGroup[] }];
  const [two] = table.decode(crossed(second)) as [Request & { push: WireGroup[] }];
  const [x, y] = one.push[0]!.tensors;
  t.is(x, y);
  t.is(two.push[0]!.tensors[0], x);
  t.deepEqual([two.type, two.id, two.deadlineMs, two.push[0]!.key], ['push', 2, 1, 'b']);
  value.data[1] = 7;
  t.is((x as TensorHandle & { data: Float32Array }).data[1], 7, 'the elements are shared');
});

test('every field that holds tensors is bound, others stay as they are', (t) => {
  const [binder, table] = [new Binder(), new BindingTable()];
  const [a, b] = [zeros(1), ones(2)];
  const base = { id: 1, deadlineMs: 2 };
  const messages: ToCoordinator[] = [
    { ...base, type: 'init', values: [{ key: 0, tensors: [a] }] },
    { ...base, type: 'pull', pull: [{ key: 0, tensors: [] }] },
    {
      ...base,
      type: 'pushpull',
      push: [{ key: 0, tensors: [a] }],
      pull: [{ key: 0, tensors: [b, a] }],
    },
    { ...base, type: 'setHyper', options: { lr: 1 } },
    { type: 'updated', update: 3 },
  ];
  const decoded = table.decode(crossed(binder.encode(messages)));
  const plain = messages.map((message) =>
    JSON.stringify(message, (_, value: unknown) =>
      value === a || value === b ? (value === a ? a : b).handle() : value,
    ),
  );
  t.deepEqual(
    decoded.map((message) => JSON.parse(JSON.stringify(message)) as unknown),
    plain.map((message) => JSON.parse(message) as unknown),
  );
});

test('two devices number their tensors apart', (t) => {
  const [first, second] = [new Binder(), new Binder()];
  const [tables, values] = [
    [new BindingTable(), new BindingTable()],
    [ones(1), ones(2)],
  ];
  const decoded = [first, second].map((binder, i) => {
    const batch = binder.encode([push(1, [{ key: 0, tensors: [values[i]!] }])]);
    const [message] = tables[i]!.decode(crossed(batch)) as [Request & { push: WireGroup[] }];
    return message.push[0]!.tensors[0]!.shape[0];
  });
  t.deepEqual(decoded, [1, 2]);
});

/** Collects until the binder has told of `count` ended bindings; returns their numbers. */
async function endedOf(binder: Binder, count: number): Promise<number[]> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ended: number[] = [];
  while (ended.length < count) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    for (const item of binder.news()) if (item.type === 'unbind') ended.push(...item.numbers);
  }
  return ended.toSorted();
}

test('the binding of a tensor that was collected ends with the next batch', async (t) => {
  const binder = new Binder();
  const kept = ones(1);
  for (const value of [ones(2), kept]) binder.encode([push(1, [{ key: 0, tensors: [value] }])]);
  t.deepEqual(await endedOf(binder, 1), [1]);
  t.is(binder.bind(kept), 2);
});

test('numbers come again once the other side knows that they are free', async (t) => {
  const [binder, table] = [new Binder(), new BindingTable()];
  const kept = ones(1);
  /** The shape that the other side sees, and the number that stood for it. */
  const send = (value: TensorHandle): unknown[] => {
    const batch = binder.encode([push(1, [{ key: 0, tensors: [value] }])]);
    const [message] = table.decode(crossed(batch)) as [Request & { push: WireGroup[] }];
    return [...message.push[0]!.tensors[0]!.shape, binder.bind(value)];
  };
  t.deepEqual(send(kept), [1, 1]);
  for (let round = 0; round < 3; round++) {
    const seen = [2, 3].map((length) => send(zeros(length)));
    t.deepEqual(
      seen.map(([length]) => length),
      [2, 3],
    );
    t.deepEqual(seen.map(([, number]) => number).toSorted(), [2, 3]);
    t.deepEqual(send(kept), [1, 1]);
    const numbers = await endedOf(binder, 2);
    t.deepEqual(numbers, [2, 3]);
    table.decode(crossed([{ type: 'unbind', numbers }]));
  }
});
