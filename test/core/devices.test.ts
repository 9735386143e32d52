import { inspect } from 'node:util';
import test from 'ava';
import { assertDevice, showDevice } from '../../src/core/devices.js';
import { cpu, cuda, KVStoreError, ones, tensor, zeros, type Device } from '../../src/index.js';

const instanceOf = KVStoreError;

test('V4: cpu(i) and cuda(i) name devices, from 0 where no index is given', (t) => {
  t.deepEqual(cpu(), { type: 'cpu', index: 0 });
  t.deepEqual(cpu(3), { type: 'cpu', index: 3 });
  t.deepEqual(cuda(), { type: 'cuda', index: 0 });
  t.is(showDevice(cuda(1)), 'cuda(1)');
});

test('V4: a tensor knows the device that it was made on', (t) => {
  t.deepEqual(zeros([1], { device: cpu(5) }).device, cpu(5));
  t.deepEqual(tensor([1], { device: cpu(2) }).device, cpu(2));
});

test('V4: a single tensor moves to another device as a copy', (t) => {
  const here = tensor([
    [1, 2],
    [3, 4],
  ]);
  const there = here.to(cpu(1));
  here.fill(0);
  t.deepEqual(there.device, cpu(1));
  t.deepEqual(there.toArray(), [
    [1, 2],
    [3, 4],
  ]);
});

for (const index of [-1, 0.5, Number.NaN, Infinity, '0', null]) {
  test(`V4: ${inspect(index)} is no index of a device`, (t) => {
    for (const make of [cpu, cuda]) {
      t.throws(() => make(index as number), {
        instanceOf,
        code: 'bad_argument',
        message: /^expected a device index \(an integer from 0 up\) in (cpu|cuda)\(...\), got /,
      });
    }
  });
}

test('V4: a CUDA device that is not there can be named, but holds no tensors', (t) => {
  const makers = [
    () => zeros([2], { device: cuda(99) }),
    () => tensor([1], { device: cuda(99) }),
    () => ones([2]).to(cuda(99)),
    () => assertDevice(cuda(99)),
  ];
  for (const make of makers) {
    t.throws(make, {
      instanceOf,
      code: 'cuda_unavailable',
      message: /^cuda\(99\) cannot hold tensors: /,
    });
  }
});

for (const device of ['cpu', 'cpu(0)', 0, {}, { type: 'tpu', index: 0 }, { type: 'cpu' }]) {
  test(`V4: ${JSON.stringify(device)} is no device`, (t) => {
    t.throws(() => zeros([1], { device: device as Device }), { instanceOf, code: 'bad_argument' });
    t.throws(() => ones([1]).to(device as Device), { instanceOf, code: 'bad_argument' });
  });
}
