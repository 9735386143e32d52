import assert from 'node:assert/strict';
import { full, KVStoreError, zeros, type KVStore, type Tensor } from '../../src/index.js';
import { openGroup, type Group, type Side } from '../helpers/groups.js';

/**
 * A process of its own, with --expose-gc, all actors on its one thread: takes many steps and says what
 * they have left behind: heap.test.ts.
 */

/** What a process holds after a collection. */
export interface Held {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  readonly rss: number;
  readonly handles: number;
}

const windows = 5;
/** Steps. Collections this often keep the size of what waits for them, such as views, from varying. */
const collectEvery = 100;
const [side, type, workers, steps] = JSON.parse(process.argv[2]!) as [Side, string, number, number];

const options = { lr: 0.1, momentum: 0.5 };
const keys = [0, 1, 2, 3];
const shapes = [[8], [8], [300], [4, 2]];

/** One device's tensors, which every step uses again. */
class Device {
  readonly #kv: KVStore;
  readonly #values = shapes.map((shape) => full(shape, 0.5));
  readonly #outs = shapes.map((shape) => zeros(shape));

  constructor(kv: KVStore) {
    this.#kv = kv;
  }

  /** A step, with one more way to call, or one call that is refused. */
  async step(number: number): Promise<void> {
    const kv = this.#kv;
    const [first, second] = this.#values as [Tensor, Tensor];
    await kv.pushpull(keys, this.#values, { out: this.#outs });
    switch (number % 8) {
      case 0:
        return kv.push([1, 0], [second, [first, first]], { priority: 1 });
      case 1:
        return void (await kv.pull(2));
      case 2:
        return void (await kv.pull(0, { out: zeros(8, { dtype: 'float16' }) }));
      case 3:
        return void (await kv.pushpull(1, full(8, number)));
      case 4:
        return (await kv.pull(1, { view: true })).release();
      case 5:
        return void (await kv.pull(keys, { view: true })); // The collector finds them.
      case 6:
        return refused(kv.push('unknown', first));
      default:
        return this.#set(number);
    }
  }

  async #set(number: number): Promise<void> {
    const kv = this.#kv;
    if (kv.rank === 0) kv.optimizer.lr = 1 / (2 + (number % 7));
    if (kv.rank === 0 && number % 64 === 7) await kv.setOptimizer('sgd', options);
    await kv.barrier();
  }
}

const refused = (call: Promise<unknown>): Promise<void> =>
  call.then(
    () => assert.fail('the call expected to be refused'),
    (error: unknown) => assert(error instanceof KVStoreError),
  );

async function collect(): Promise<void> {
  globalThis.gc!();
  await new Promise((resolve) => setImmediate(resolve)); // Finalizers run in a turn of their own.
}

async function held(): Promise<Held> {
  for (let i = 0; i < 4; i++) await collect();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().length;
  return { heapUsed, external, arrayBuffers, rss, handles };
}

async function run({ stores }: Group): Promise<Held[]> {
  await Promise.all(
    stores.map((kv) =>
      kv.init(
        keys,
        shapes.map((shape) => full(shape, 1)),
      ),
    ),
  );
  await stores[0]!.setOptimizer('sgd', options);
  const devices = stores.map((kv) => new Device(kv));
  const seen: Held[] = [];
  let number = 0;
  for (let window = 0; window <= windows; window++) {
    for (let i = 0; i < steps / windows; i++) {
      number += 1;
      await Promise.all(devices.map((device) => device.step(number)));
      if (number % collectEvery === 0) await collect();
    }
    seen.push(await held());
  }
  return seen; // The first window was the warm-up.
}

const group = await openGroup(side, { type, workers, timeoutMs: 60_000 });
const seen = await run(group);
await group.close();
process.stdout.write(JSON.stringify(seen));
