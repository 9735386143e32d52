import test, { type ExecutionContext } from 'ava';
import {
  createKVStore,
  KVStoreBase,
  launch,
  registerKVStore,
  tensor,
  zeros,
  type Key,
  type Tensor,
} from '../../src/index.js';
import { program, rejects } from '../helpers/workers.js';

/** The least that a store must have: numbers by key, one tensor a call. */
class Shelf extends KVStoreBase {
  readonly given: object;
  opened = false;
  closed = false;
  readonly #tensors = new Map<unknown, Tensor>();

  constructor(options: object, type?: string) {
    super(options, type);
    this.given = options;
  }

  override async open(): Promise<void> {
    await Promise.resolve();
    this.opened = true;
  }

  async init(key: unknown, value: unknown): Promise<void> {
    this.#tensors.set(key, (value as Tensor).add(0));
  }

  async push(key: unknown, value: unknown): Promise<void> {
    this.#tensors.get(key)!.copyFrom(value as Tensor);
  }

  async pull(key: unknown): Promise<Tensor> {
    return this.#tensors.get(key)!.add(0);
  }

  async pushpull(key: Key, value: unknown): Promise<Tensor> {
    await this.push(key, value);
    return this.pull(key);
  }

  async broadcast(key: Key, value: unknown): Promise<Tensor> {
    await this.init(key, value);
    return this.pull(key);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

class OtherShelf extends Shelf {}

/** What `work` makes the process warn of. */
async function warningsOf(work: () => void): Promise<(Error & { code?: string })[]> {
  const warnings: Error[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on('warning', listen);
  work();
  await new Promise((resolve) => setImmediate(resolve)); // Warnings are told in a later turn.
  process.off('warning', listen);
  return warnings;
}

test.serial('S18: a registered name makes a store of its class, in any case', async (t) => {
  t.deepEqual(await warningsOf(() => registerKVStore('MyShelf', Shelf)), []);
  for (const name of ['myshelf', 'MyShelf', 'MYSHELF']) {
    const options = { anything: [name] };
    const kv = await createKVStore<Shelf>(name, options);
    t.true(kv instanceof Shelf);
    t.is(kv.type, 'myshelf');
    t.is(kv.given, options);
    t.true(kv.opened);
    await kv.init('w', tensor([1]));
    await kv.push('w', tensor([5]));
    t.is((await kv.pull('w')).data[0], 5);
    {
      await using same = kv;
      t.deepEqual([same.rank, same.numWorkers], [0, 1]);
    }
    t.true(kv.closed);
  }
  t.deepEqual((await createKVStore<Shelf>('myshelf')).given, {});
});

test.serial('S18: what a class leaves out is unsupported, by name', async (t) => {
  registerKVStore('bare', Shelf);
  const kv = await createKVStore('bare');
  const says = (method: string): { code: 'unsupported'; says: string[] } => ({
    code: 'unsupported',
    says: [method, 'bare'],
  });
  await rejects(t, kv.setUpdater(undefined), says('setUpdater'));
  await rejects(t, kv.setOptimizer('sgd'), says('setOptimizer'));
  await rejects(t, kv.barrier(), says('barrier'));
  await rejects(t, kv.flush(), says('flush'));
  const throwing: [string, () => unknown][] = [
    ['keys', () => kv.keys],
    ['optimizer', () => kv.optimizer],
    ['numDeadNodes', () => kv.numDeadNodes()],
    ['stats', () => kv.stats()],
  ];
  for (const [method, call] of throwing) {
    t.throws(call, { code: 'unsupported', message: new RegExp(method) });
  }
  for (const capability of ['optimizer', 'compression', 'row_sparse'] as const) {
    t.false(kv.isCapable(capability));
  }
  t.is(new Shelf({}).type, 'shelf', 'without a name the class gives it');
});

test.serial('S18: a name registered again is replaced, with a warning', async (t) => {
  registerKVStore('twice', Shelf);
  const before = await createKVStore('twice');
  const warnings = await warningsOf(() => registerKVStore('Twice', OtherShelf));
  assertReplaced(t, warnings, ['"twice"', 'Shelf', 'OtherShelf']);
  t.true((await createKVStore('twice')) instanceof OtherShelf);
  t.false(before instanceof OtherShelf);
});

test.serial('S18: a built-in name may be replaced, for createKVStore alone', async (t) => {
  const warnings = await warningsOf(() => registerKVStore('Dist_Async_Device', Shelf));
  assertReplaced(t, warnings, ['"dist_async_device"', 'built-in', 'Shelf']);
  t.true((await createKVStore<KVStoreBase>('dist_async_device')) instanceof Shelf);
  const builtIn = await createKVStore('dist_async');
  t.false(builtIn instanceof Shelf);
  await builtIn.close();
  const options = { devices: 1, type: 'dist_async_device' };
  const group = await launch(program('no-program'), options);
  await group.stop();
  await t.throwsAsync(group.done);
});

test.serial('S18: an unknown type is told all names, registered ones too', async (t) => {
  registerKVStore('known', Shelf);
  const says = ['local', 'dist_sync', 'known', '"unknown"'];
  await rejects(t, createKVStore('unknown'), { code: 'unknown_type', says });
});

test.serial('S18: a bad name or class is refused and registers nothing', async (t) => {
  class NotAStore {}
  const bad: [unknown, unknown, string[]][] = [
    ['', Shelf, ['name', '""']],
    [' x', Shelf, ['name', '" x"']],
    [3, Shelf, ['name', 'got 3']],
    [undefined, Shelf, ['name', 'undefined']],
    ['x', NotAStore, ['KVStoreBase', 'NotAStore']],
    ['x', KVStoreBase, ['KVStoreBase']],
    ['x', undefined, ['"x"', 'undefined']],
    ['x', null, ['null']],
    ['x', zeros(1), ['Tensor']],
    ['x', () => 1, ['a function']],
  ];
  for (const [name, storeClass, words] of bad) {
    const error = t.throws(() => registerKVStore(name as never, storeClass as never), {
      code: 'bad_argument',
    });
    for (const word of words) t.true(error.message.includes(word), error.message);
  }
  await rejects(t, createKVStore('x'), { code: 'unknown_type' });
});

test.serial('S18: a store without the methods of every store is refused', async (t) => {
  abstract class Half extends KVStoreBase {
    init = async (): Promise<void> => undefined;
    async close(): Promise<void> {}
  }
  registerKVStore('half', Half as never);
  const says = ['"half"', 'push, pull, pushpull, broadcast'];
  await rejects(t, createKVStore('half'), { code: 'bad_argument', says });
});

function assertReplaced(
  t: ExecutionContext,
  warnings: readonly (Error & { code?: string })[],
  says: readonly string[],
): void {
  t.deepEqual(
    warnings.map(({ name, code }) => [name, code]),
    [['TensorKVWarning', 'TENSORKV_STORE_REPLACED']],
  );
  for (const words of says) t.true(warnings[0]!.message.includes(words), warnings[0]!.message);
}
