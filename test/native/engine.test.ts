import test from 'ava';
import { attachDevice, createEngine } from '../../native/engine.js';
import { kernels } from '../../native/kernels.js';

const nativeTest = kernels.name === 'native' ? test : test.skip;

nativeTest('a device may unbind numbers that its engine never heard of', (t) => {
  const engine = createEngine(
    1,
    { consistency: 'sync', staleness: 0 },
    new BigInt64Array(new SharedArrayBuffer(8)),
  )!;
  const device = attachDevice(engine.number, 0, () => undefined)!;
  device.bind(1, new Float32Array(new SharedArrayBuffer(16)), 'float32');
  // Row-sparse tensors have numbers too. Far outside of what the engine keeps: a write there crashes.
  device.unbind([1, 10_000_000]);
  device.detach();
  engine.close();
  t.pass();
});
