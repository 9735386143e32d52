import test from 'ava';
import { attachDevice, createEngine, type EngineStatus } from '../../native/engine.js';
import { kernels } from '../../native/kernels.js';
import { DeviceArray } from '../../src/core/device-array.js';
import { runNode } from './child.js';

const nativeTest = kernels.name === 'native' ? test : test.skip;

const pace = { consistency: 'sync', staleness: 0 } as const;
const floats = (): Float32Array => new Float32Array(new SharedArrayBuffer(16));
const status = (): EngineStatus => ({
  updates: new BigInt64Array(new SharedArrayBuffer(8)),
  ended: new Int32Array(new SharedArrayBuffer(4)),
});

nativeTest('a device may unbind numbers that its engine never heard of', (t) => {
  const engine = createEngine(1, pace, status())!;
  const device = attachDevice(engine.number, 0, () => undefined)!;
  device.bind(1, floats(), 'float32');
  // Row-sparse tensors have numbers too. Far outside of what the engine keeps: a write there crashes.
  device.unbind([1, 10_000_000]);
  device.detach();
  engine.close();
  t.pass();
});

nativeTest('the memory of a device that is gone is not read any more, whoever comes last', (t) => {
  const counts = status();
  const engine = createEngine(2, pace, counts)!;
  const stored = { data: floats(), number: 1 };
  const access = { kind: 'assign' } as const;
  engine.setPlan({ key: 0, dtype: 'float32', version: 0, stored, other: undefined, access });
  engine.lease([0, 1], []);
  const [gone, other] = [0, 1].map((rank) => attachDevice(engine.number, rank, () => undefined)!);
  const push = { heads: Float64Array.of(1, Infinity, 0, 1, 4), words: Int32Array.of(0, 1, 1, 0) };
  for (const device of [gone!, other!]) device.bind(1, floats().fill(1), 'float32');
  t.is(gone!.submit(push, 1, Infinity, false), 1);
  gone!.detach();
  t.is(other!.submit(push, 1, Infinity, false), 0, 'the coordinator has to look first');
  t.is(counts.updates[0], 0n);
  const { tickets } = engine.recall();
  t.deepEqual(
    tickets.map(({ rank, id }) => [rank, id]),
    [[0, 1]],
  );
  engine.lease([1], []);
  t.is(other!.submit(push, 1, Infinity, false), 1);
  t.deepEqual([counts.updates[0], stored.data[0]], [1n, 1]);
  t.is(counts.ended[0], 0);
  engine.close();
  t.is(counts.ended[0], 1);
});

nativeTest(
  'a key or a tensor on a device that the engine cannot name is the coordinator’s',
  (t) => {
    const on = (id: number): DeviceArray =>
      new DeviceArray({ device: 0, id, byteOffset: 0, length: 4, dtype: 'float32' });
    const engine = createEngine(1, pace, status())!;
    const stored = { data: on(2 ** 23), number: 1 };
    const common = { key: 0, dtype: 'float32', version: 0, other: undefined } as const;
    engine.setPlan({ ...common, stored, access: { kind: 'assign' } });
    engine.lease([0], []);
    const device = attachDevice(engine.number, 0, () => undefined)!;
    device.bind(1, on(2 ** 24), 'float32');
    device.bind(2, on(7), 'float32');
    for (const number of [1, 2]) {
      const order = {
        heads: Float64Array.of(1, Infinity, 0, 1, 4),
        words: Int32Array.of(0, 1, 2, 0),
      };
      order.words[2] = number;
      t.is(device.submit(order, 1, Infinity, false), 0);
    }
    device.detach();
    engine.close();
  },
);

nativeTest('what is thrown when a device hears is an uncaught exception', async (t) => {
  const library = new URL('../../native/engine.js', import.meta.url).href;
  const { code, stdout, stderr } = await runNode([
    '--input-type=module',
    '-e',
    `import { attachDevice, createEngine } from ${JSON.stringify(library)};
     const floats = () => new Float32Array(new SharedArrayBuffer(16));
     const updates = new BigInt64Array(new SharedArrayBuffer(8));
     const ended = new Int32Array(new SharedArrayBuffer(4));
     const pace = { consistency: 'sync', staleness: 0 };
     const engine = createEngine(2, pace, { updates, ended });
     const stored = { data: floats(), number: 1 };
     const access = { kind: 'assign' };
     engine.setPlan({ key: 0, dtype: 'float32', version: 0, stored, other: undefined, access });
     engine.lease([0, 1], []);
     process.on('uncaughtException', ({ message }) => { console.log(message); process.exit(3); });
     process.on('warning', () => process.exit(4));
     setInterval(() => undefined, 1e6);
     const heads = Float64Array.of(1, Infinity, 0, 1, 4);
     for (const rank of [0, 1]) {
       const device = attachDevice(engine.number, rank, () => { throw new Error('heard'); });
       device.bind(1, floats(), 'float32');
       device.submit({ heads, words: Int32Array.of(0, 1, 1, 0) }, 1, Infinity, false);
     }`,
  ]);
  t.is(stdout, 'heard\n', stderr);
  t.is(code, 3);
});
