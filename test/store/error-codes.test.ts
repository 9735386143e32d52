import { execFile } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import {
  createKVStore,
  cuda,
  KVStore,
  optim,
  ones,
  rowSparse,
  schedule,
  tensor,
  zeros,
  type ErrorCode,
  type KVStoreOptions,
} from '../../src/index.js';
import { checkedDefaults } from '../helpers/optimizer-options.js';
import { errorCodes } from '../../src/core/errors.js';
import { optimizerNames } from '../../src/core/optimizers/registry.js';
import { InlineGroup } from '../helpers/inline-group.js';
import { onEveryPlane } from '../helpers/planes.js';
import { isError, rejects, type ExpectedError } from '../helpers/workers.js';

/** A call on a store whose key "w" holds [1, 2], and how it is refused. */
interface Case extends Omit<ExpectedError, 'code'> {
  readonly options?: KVStoreOptions;
  readonly type?: string;
  /** Made before the call that is refused. */
  readonly before?: (kv: KVStore) => Promise<unknown>;
  readonly call: (kv: KVStore) => unknown;
}

const two = (): ReturnType<typeof ones> => ones([2]);
const sparse = rowSparse({ shape: [2], indices: [0], rows: [1] });

/** What a store of one caller can be brought to. */
const cases = {
  unknown_type: { call: () => createKVStore('nowhere'), says: ['local', '"nowhere"'] },
  unknown_key: { call: (kv) => kv.pull('x'), key: 'x', says: ['key "x"', 'initialised'] },
  duplicate_key: { call: (kv) => kv.init('w', two()), key: 'w', says: ['key "w"', 'new'] },
  mixed_key_types: { call: (kv) => kv.push(3, two()), key: 3, says: ['string', 'key 3'] },
  bad_key_type: { call: (kv) => kv.pull(''), says: ['non-empty string', '""'] },
  length_mismatch: { call: (kv) => kv.push(['w'], []), says: ['1 values', 'got 0'] },
  shape_mismatch: { call: (kv) => kv.push('w', ones([3])), key: 'w', says: ['[2]', '[3]'] },
  dtype_mismatch: {
    call: (kv) => kv.push('w', ones([2], { dtype: 'int8' })),
    key: 'w',
    says: ['float32', 'int8'],
  },
  stype_mismatch: {
    call: (kv) => kv.push('w', [two(), sparse]),
    key: 'w',
    says: ['1 dense', '1 row-sparse'],
  },
  row_id_out_of_range: {
    call: (kv) => kv.pullRows('w', { rowIds: [0, 2] }),
    key: 'w',
    says: ['0 up to 1', 'got 2'],
  },
  bad_updater: { call: (kv) => kv.setUpdater('no url'), says: ['function', '"no url"'] },
  updater_error: {
    before: (kv) =>
      kv.setUpdater(() => {
        throw new Error('why not');
      }),
    call: (kv) => kv.push('w', two()),
    key: 'w',
    says: ['key "w"', 'why not'],
  },
  updater_required: {
    type: 'dist_async',
    call: (kv) => kv.push('w', two()),
    key: 'w',
    says: ['setUpdater'],
  },
  unknown_optimizer: { call: (kv) => kv.setOptimizer('sdg'), says: ['sgd', '"sdg"'] },
  bad_optimizer: { call: (kv) => kv.setOptimizer('sgd', { lr: NaN }), says: ['lr', 'NaN'] },
  no_optimizer: { call: (kv) => kv.saveOptimizerStates('states'), says: ['setOptimizer'] },
  scheduler_owns_lr: {
    before: (kv) => kv.setOptimizer('sgd', { schedule: schedule.constant({ baseLr: 1 }) }),
    call: (kv) => (kv.optimizer.lr = 1),
    says: ['lr', 'schedule'],
  },
  unsupported: {
    call: (kv) => kv.setGradientCompression({ type: '2bit' }),
    says: ['device', 'local'],
  },
  bad_compression: {
    type: 'device',
    call: (kv) => kv.setGradientCompression({ type: '3bit' as never }),
    says: ['2bit', '"3bit"'],
  },
  unknown_capability: { call: (kv) => kv.isCapable('flight' as never), says: ['"flight"'] },
  bad_checkpoint: { call: (kv) => kv.load('nowhere.safetensors'), says: ['nowhere.safetensors'] },
  memory_limit: {
    options: { memoryLimit: 100 },
    call: (kv) => kv.init('v', zeros([24])),
    key: 'v',
    says: ['key "v"', '96 bytes', '8 of at most 100'],
  },
  closed: {
    call: async () => {
      const other = await createKVStore('local', { coordinator: 'inline' });
      await other.close();
      await other.pull('w');
    },
    says: ['closed'],
  },
  cuda_unavailable: { call: () => zeros([2], { device: cuda(0) }), says: ['cuda(0)'] },
  bad_argument: {
    call: (kv) => kv.push('w', 7 as never),
    key: 'w',
    says: ['key "w"', 'tensor', 'got 7'],
  },
} satisfies Partial<Record<ErrorCode, Case>>;

/** What takes other devices, or a machine without the addon. */
const groupCases = {
  queue_full: async (t) => {
    const group = await InlineGroup.open(t, { workers: 2, timeoutMs: 50 });
    const [kv] = group.stores as [KVStore];
    // An inline group keeps no process alive, and nobody handles what it is sent.
    const alive = setInterval(() => undefined, 1e6);
    t.teardown(() => clearInterval(alive));
    const calls = Array.from({ length: 3000 }, () => kv.barrier());
    calls.slice(0, -1).forEach((call) => void call.catch(() => undefined));
    await rejects(t, calls.at(-1)!, { code: 'queue_full', says: ['expected', 'place'] });
    for (let i = 0; i < 3; i++) await group.drain();
  },
  timeout: async (t) => {
    const group = await InlineGroup.open(t, { workers: 2 });
    const [kv] = group.stores as [KVStore];
    const refused = rejects(t, kv.barrier(), { code: 'timeout', rank: 1, says: ['rank 1'] });
    await group.drain();
    await group.passAllDeadlines();
    await refused;
  },
  peer_dead: async (t) => {
    const group = await InlineGroup.open(t, { workers: 2 });
    const [kv] = group.stores as [KVStore];
    const refused = rejects(t, kv.barrier(), {
      code: 'peer_dead',
      rank: 1,
      says: ['rank 1', 'fire'],
    });
    await group.drain();
    await group.depart(1, 'fire');
    await refused;
  },
  native_unavailable: async (t) => {
    const source = `
      const { ones, unsharedView } = await import('${new URL('../../src/index.js', import.meta.url).href}');
      try { unsharedView(ones([1])); } catch ({ code, message }) { console.log(code, message); }`;
    const printed = await new Promise<string>((resolve, reject) => {
      const args = ['--input-type=module', '-e', source];
      const env = { ...process.env, TENSORKV_NATIVE: 'off' };
      execFile(process.execPath, args, { env }, (error, out) => {
        if (error === null) resolve(out);
        else reject(error);
      });
    });
    t.regex(printed, /^native_unavailable .*TENSORKV_NATIVE=off/);
  },
} satisfies Partial<Record<ErrorCode, (t: ExecutionContext) => Promise<void>>>;

// A code without a case does not compile; this says so to who reads the list of tests.
test('every code of the list has a case', (t) => {
  t.deepEqual(
    [...Object.keys(cases), ...Object.keys(groupCases)].toSorted(),
    errorCodes.toSorted(),
  );
});

for (const [code, given] of Object.entries(cases) as [ErrorCode, Case][]) {
  onEveryPlane(`${code}: the message says why, and the store is as it was`, async (t, open) => {
    const { type = 'local', options = {}, before, call, ...expected } = given;
    const kv = await open(type, options);
    await kv.init('w', tensor([1, 2]));
    await before?.(kv);
    const { updates, storeBytes } = kv.stats();
    await rejects(t, (async () => call(kv))(), { code, ...expected });
    t.deepEqual((await kv.pull('w')).toArray(), [1, 2]);
    t.deepEqual(kv.keys, ['w']);
    t.is(kv.stats().updates, updates);
    if (code !== 'updater_error') t.is(kv.stats().storeBytes, storeBytes);
    await kv.setUpdater((_, input, stored) => void stored.add_(input));
    await kv.push('w', two());
    t.deepEqual((await kv.pull('w')).toArray(), [2, 3]);
  });
}

for (const [code, run] of Object.entries(groupCases)) {
  test.serial(`${code}: the message says why`, run);
}

/** What a store that is closed still answers, without asking anybody. */
const answers = ['keys', 'rank', 'numWorkers', 'type', 'isCapable', 'stats', 'numDeadNodes'];

onEveryPlane(
  'S19: after close every method rejects with closed, but for what is known',
  async (t, open) => {
    const kv = await open();
    await kv.init('w', two());
    await kv.setOptimizer('sgd');
    await kv.close();
    const names = new Set<string>();
    for (let at: object = kv; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
      for (const name of Object.getOwnPropertyNames(at)) names.add(name);
    }
    for (const name of ['constructor', 'open', 'close', 'flush', 'optimizer', ...answers]) {
      t.true(names.delete(name), name);
    }
    t.true(names.size >= 14, [...names].join());
    const methods = kv as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    for (const name of names) {
      // Those that block throw.
      const call = async (): Promise<unknown> => methods[name]!('w', two(), { out: two() });
      if (!name.endsWith('Sync'))
        t.notThrows(() => void methods[name]!('w').catch(() => undefined));
      await rejects(t, call(), {
        code: 'closed',
        says: ['open'],
      });
    }
    await kv.flush();
    await kv.close();
    t.deepEqual([kv.keys, kv.rank, kv.numWorkers], [['w'], 0, 1]);
    t.true(kv.isCapable('optimizer'));
  },
);

for (const name of optimizerNames) {
  test(`O-${name}: NaN and infinities are no values of its options`, (t) => {
    const numeric = checkedDefaults(name);
    t.true(numeric.length >= 4, numeric.join());
    for (const option of numeric) {
      for (const value of [NaN, Infinity, -Infinity, '1', null]) {
        const error = t.throws(() => optim[name]({ [option]: value }));
        isError(t, error, { code: 'bad_optimizer', says: [name, option] });
      }
    }
  });
}

onEveryPlane(
  'S1: words of JavaScript and very long strings are keys as any other',
  async (t, open) => {
    const kv = await open();
    const keys = ['__proto__', 'constructor', 'toString', 'k'.repeat(1_000_000)];
    await kv.init(
      keys,
      keys.map((_, i) => tensor([i])),
    );
    await kv.setOptimizer(optim.sgd({ lr: 1, momentum: 0.5 }));
    await kv.push(
      keys,
      keys.map(() => ones([1])),
    );
    const pulled = await kv.pull(keys);
    t.deepEqual(
      pulled.map((each) => each.data[0]),
      [-1, 0, 1, 2],
    );
    t.true(kv.keys.every((key, i) => key === keys[i]));
    const error = await rejects(t, kv.push(keys[3]!, ones([2])), {
      code: 'shape_mismatch',
      key: keys[3]!,
      says: ['[1]', '[2]'],
    });
    t.true(error.message.length < 300);
  },
);
