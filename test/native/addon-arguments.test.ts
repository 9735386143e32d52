import test from 'ava';
import { loadAddon, type Addon, type AddonKernels } from '../../native/addon.js';

// What C++ checks by itself: native/kernels.ts asserts the same and more, but a mistake there, or a
// module that loads the addon by itself, must not reach foreign memory.
const { addon } = loadAddon();

type Call = (kernels: AddonKernels, engine: Addon['engine']) => unknown;

const shared = <T>(
  Type: new (buffer: SharedArrayBuffer) => T & { BYTES_PER_ELEMENT: number },
  length: number,
): T => new Type(new SharedArrayBuffer(length * 8));
const floats = (length: number): Float32Array => new Float32Array(length);
const ids = (...values: number[]): BigInt64Array => new BigInt64Array(values.map(BigInt));
const owned = (engine: Addon['engine']) =>
  engine.create(2, 0, 0, 'baseline', shared(BigInt64Array, 1), shared(Int32Array, 1));

const wrong: Readonly<Record<string, Call>> = {
  'a sum of different lengths': ({ reduceSum }) => reduceSum([floats(3)], floats(4), 0),
  'a sum of another type': ({ reduceSum }) => reduceSum([floats(3)], floats(3), 1),
  'a sum of no dtype': ({ reduceSum }) => reduceSum([floats(3)], floats(3), 8),
  'a sum of nothing': ({ reduceSum }) => reduceSum([], floats(3), 0),
  'a sum that is shifted against its input': ({ reduceSum }) => {
    const all = floats(8);
    reduceSum([all.subarray(0, 7)], all.subarray(1), 0);
  },
  'a list that detaches what it has given': ({ reduceSum }) => {
    const gone = floats(1000);
    const list = [gone];
    Object.defineProperty(list, 1, {
      get() {
        structuredClone(gone, { transfer: [gone.buffer as ArrayBuffer] });
        return floats(1000);
      },
    });
    reduceSum(list, floats(1000), 0);
  },
  'a list that says it is endless': ({ copy }) => copy(floats(1), new Array(2 ** 32 - 1)),
  'no list': ({ copy }) => copy(floats(1), { length: 1, 0: floats(1) } as never),
  'a copy to another length': ({ copy }) => copy(floats(2), [floats(1)]),
  'a cast over itself': ({ cast }) => {
    const all = floats(4);
    cast(all, new Int32Array(all.buffer), 0, 6);
  },
  'squares of integers': ({ squares }) => squares([new Int32Array(1)], 6),
  'codes that are too short': ({ encode }) =>
    encode(true, 0.5, floats(17), floats(17), new Uint8Array(4)),
  'a union without room': ({ unionIds }) => unionIds([ids(1), ids(2)], ids(0)),
  'rows that are not there': ({ gatherRows }) => gatherRows(floats(4), ids(2), floats(2), 8),
  'rows whose bytes overflow': ({ gatherRows }) =>
    gatherRows(floats(4), ids(0), floats(2), 2 ** 53),
  'a row to no place': ({ scatterRows }) => scatterRows(floats(2), ids(-1), floats(4), 8),
  'a table of three places': ({ findRows }) => findRows(new Int32Array(3), ids(1), ids(1), ids(0)),
  'an unknown rule': ({ step }) =>
    step(1000, 0, [floats(1)], floats(1), [], new Float64Array(8), 0, ...nothing),
  'a step of integers': ({ step }) =>
    step(0, 6, [new Int32Array(1)], new Int32Array(1), [], new Float64Array(8), 0, ...nothing),
  'a shared view of unshared memory': () => addon!.externalBuffer(floats(1)),
  'an engine without devices': (_, engine) =>
    engine.create(0, 0, 0, 'baseline', shared(BigInt64Array, 1), shared(Int32Array, 1)),
  'an engine whose devices overflow': (_, engine) =>
    engine.create(2 ** 32 - 1, 0, 0, 'baseline', shared(BigInt64Array, 1), shared(Int32Array, 1)),
  'a counter that may be detached': (_, engine) =>
    engine.create(1, 0, 0, 'baseline', new BigInt64Array(1), shared(Int32Array, 1)),
  'a word that may be detached': (_, engine) =>
    engine.create(1, 0, 0, 'baseline', shared(BigInt64Array, 1), new Int32Array(1)),
  'no engine': (_, engine) => engine.recall({} as never),
  'a device for an engine': (_, engine) => {
    const device = engine.attach(engine.number(owned(engine)), 0, () => undefined);
    engine.recall(device as never);
  },
  'a stored tensor of another type': (_, engine) =>
    engine.setPlan(owned(engine), 0, 0, shared(Float32Array, 4), 0, undefined, -1, 2, 1),
  'a stored tensor that may be detached': (_, engine) =>
    engine.setPlan(owned(engine), 0, 0, floats(4), 0, undefined, -1, 2, 0),
  'a key that is no number': (_, engine) =>
    engine.setPlan(owned(engine), NaN, 0, shared(Float32Array, 4), 0, undefined, -1, 2, 0),
  'clocks of a key that is not there': (_, engine) =>
    engine.setClocks(owned(engine), 0, shared(Float64Array, 2)),
  'too few clocks': (_, engine) => engine.setClocks(owned(engine), 0, shared(Float64Array, 1)),
  'a rank twice': (_, engine) => engine.lease(owned(engine), [0, 0], noPins),
  'a rank that is not there': (_, engine) => engine.lease(owned(engine), [2], noPins),
  'a call of nobody': (_, engine) => engine.callDevice(owned(engine), 3),
  'another plan while the store is leased': (_, engine) => {
    const store = owned(engine);
    engine.lease(store, [0], noPins);
    engine.setPlan(store, 0, 0, shared(Float32Array, 4), 0, undefined, -1, 2, 0);
  },
  'another buffer of another length': (_, engine) => {
    const buffers = [shared(Float32Array, 4), 0, shared(Float32Array, 3), 1] as const;
    engine.setPlan(owned(engine), 0, 0, ...buffers, 2, 0);
  },
  'hyper-parameters without a width': (_, engine) =>
    engine.setHyper(owned(engine), 0, 0, true, 0, new Float64Array(4)),
  'fewer heads than requests': (_, engine) =>
    engine.submit(attached(engine), new Float64Array(4), new Int32Array(8), 1, 0, false),
  'a head with more words than there are': (_, engine) =>
    engine.submit(
      attached(engine),
      new Float64Array([1, 0, 0, 1, 9]),
      new Int32Array(8),
      1,
      0,
      false,
    ),
  'a binding that may be detached': (_, engine) => engine.bind(attached(engine), 0, floats(4), 0),
  'an endless wait': (_, engine) => engine.wait(attached(engine), Infinity, new Float64Array(4)),
};

const noPins = new Int32Array(0);
const nothing = [undefined, undefined, undefined, undefined] as const;

function attached(engine: Addon['engine']) {
  return engine.attach(engine.number(owned(engine)), 0, () => undefined)!;
}

for (const [title, call] of Object.entries(wrong)) {
  (addon === undefined ? test.skip : test)(`the addon refuses ${title}`, (t) => {
    const error = t.throws(() => call(addon!.forCpu('baseline')!, addon!.engine), {
      instanceOf: TypeError,
    });
    t.regex(error.message, /^Expected /);
  });
}

(addon === undefined ? test.skip : test)('the engine refuses words that end too early', (t) => {
  const { engine } = addon!;
  const store = owned(engine);
  engine.setPlan(store, 0, 0, shared(Float32Array, 4), 0, undefined, -1, 2, 0);
  engine.lease(store, [0, 1], noPins);
  const device = engine.attach(engine.number(store), 0, () => undefined)!;
  for (const words of [
    [0],
    [0, 1],
    [0, 1, 0],
    [0, -1, 0, 0],
    [0, 2 ** 31 - 1, 0],
    [7, 0, 0],
    [0, 0, -1],
  ]) {
    const heads = new Float64Array([1, 0, 0, 0, words.length]);
    t.is(engine.submit(device, heads, new Int32Array(words), 1, 0, false), 0);
    t.false(engine.isDisjoint(device, new Int32Array(words)));
  }
  engine.close(store);
});

(addon === undefined ? test.skip : test)('ids at the end of their range have no rows', (t) => {
  const last = new BigInt64Array([2n ** 63n - 1n]);
  const out = new Float32Array(2).fill(5);
  addon!.forCpu('baseline')!.sumRows([ids(1)], [floats(2)], last, out, 2, 0);
  t.deepEqual([...out], [0, 0]);
});
