import type { ExecutionContext } from 'ava';
import { arrayOf } from '../../src/core/tensor.js';
import type { DeviceArray, PlainArray } from '../../src/core/device-array.js';
import { dtypes } from '../../src/core/dtypes.js';
import {
  cpu,
  cuda,
  full,
  KVStoreError,
  ones,
  rowSparse,
  Tensor,
  tensor,
  zeros,
  type AnyTensor,
  type DType,
} from '../../src/index.js';
import {
  cudaTest as test,
  first,
  isThere,
  randomTensor,
  sameBits,
  second,
  standInTest,
} from '../helpers/cuda.js';
import { seed } from '../helpers/random.js';

const instanceOf = KVStoreError;
const names = dtypes.map(({ name }) => name);

/** Does the same on the CPU and on a device, and compares. */
function compare(
  t: ExecutionContext,
  inputs: readonly AnyTensor[],
  what: string,
  run: (...inputs: AnyTensor[]) => AnyTensor,
): void {
  const expected = run(...inputs.map((each) => each.to(cpu())));
  const actual = run(...inputs.map((each) => each.to(first)));
  t.deepEqual(actual.device, first, what);
  sameBits(t, actual, expected, what);
}

for (const dtype of names) {
  const scalar = dtype === 'int64' ? -3n : dtype.includes('int') ? 3 : 0.3;
  for (const length of [0, 1, 3, 1000, 70_001]) {
    test(`arithmetic of ${dtype} on a device gives the bits of the CPU: ${length} elements`, (t) => {
      const [a, b] = [1, 2].map((i) => randomTensor(dtype, [length], seed + i));
      const both = [a!, b!];
      compare(t, both, 'add', (x, y) => x!.add(y!));
      compare(t, both, 'mul', (x, y) => x!.mul(y!));
      compare(t, both, 'add_ scaled', (x, y) => x!.add_(y!, scalar));
      compare(t, both, 'add_ itself', (x) => x!.add_(x!, scalar));
      compare(t, both, 'mul_', (x, y) => x!.mul_(y!));
      compare(t, both, 'add a number', (x) => x!.add(scalar));
      compare(t, both, 'mul a number', (x) => x!.mul(scalar));
      compare(t, both, 'add_ a number', (x) => x!.add_(scalar, scalar));
      compare(t, both, 'mul_ a number', (x) => x!.mul_(scalar));
      compare(t, both, 'fill', (x) => x!.fill(scalar));
      compare(t, both, 'copyFrom', (x, y) => x!.copyFrom(y!));
      if (!dtype.includes('int')) return;
      if (dtype === 'int64') return;
      compare(t, both, 'add_ a fraction of it', (x, y) => x!.add_(y!, 0.37));
      compare(t, both, 'mul a fraction', (x) => x!.mul(-1.7));
      compare(t, both, 'mul a large number', (x) => x!.mul(2 ** 40 + 1));
      compare(t, both, 'add a large number', (x) => x!.add(-(2 ** 40) - 1));
      compare(t, both, 'fill saturates', (x) => x!.fill(1e12));
    });
  }

  test(`${dtype} is cast to every dtype on a device as on the CPU`, (t) => {
    const source = randomTensor(dtype, [1003], seed + 3);
    for (const to of names) {
      compare(t, [source], `${dtype} to ${to}`, (x) => x!.astype(to));
    }
  });

  test(`a tensor of ${dtype} is made on a device as on the CPU`, (t) => {
    const x = dtype === 'int64' ? 7n : 7;
    const make = (device = cpu()): AnyTensor[] => {
      const options = { dtype: dtype as 'int64', device };
      return [
        zeros([2, 3], options),
        ones([2, 3], options),
        full([2, 3], x, options),
        tensor([1, 2, 3], options),
        tensor(randomTensor(dtype, [5], seed).data, options),
      ];
    };
    const there = make(first);
    for (const [i, expected] of make().entries()) {
      sameBits(t, there[i]!, expected, `maker ${i}`);
      t.is(String(there[i]), String(expected).replace('cpu(0)', 'cuda(0)'));
      t.deepEqual(there[i]!.toArray(), expected.toArray());
      t.deepEqual(there[i]!.toFloat32(), expected.toFloat32());
      t.is(there[i]!.size, expected.size);
    }
  });
}

test('a tensor moves between devices as a copy', (t) => {
  const here = tensor([1, 2, 3]);
  const there = here.to(first);
  const beyond = there.to(second);
  here.fill(0);
  there.mul_(2);
  t.deepEqual(beyond.toArray(), [1, 2, 3]);
  t.deepEqual(there.to(cpu(3)).toArray(), [2, 4, 6]);
  t.deepEqual(there.to(cpu(3)).device, cpu(3));
  t.deepEqual(beyond.device, second);
});

test('tensors of other devices may take part: the result is where the first one lives', (t) => {
  const [here, there, beyond] = [cpu(), first, second].map((device) => full([4], 3, { device }));
  const sum = there!.add(here!).add(beyond!);
  t.deepEqual([sum.device, sum.toArray()], [first, [9, 9, 9, 9]]);
  const product = here!.mul(there!);
  t.deepEqual([product.device, product.toArray()], [cpu(), [9, 9, 9, 9]]);
  t.deepEqual(here!.add_(beyond!, 2).toArray(), [9, 9, 9, 9]);
  t.deepEqual(zeros(4).copyFrom(there!).toArray(), [3, 3, 3, 3]);
  t.deepEqual(beyond!.copyFrom(ones(4)).toArray(), [1, 1, 1, 1]);
});

test('the elements of a tensor on a device are not in memory of the CPU', (t) => {
  const there = ones([2], { device: first });
  t.throws(() => there.data, {
    instanceOf,
    code: 'bad_argument',
    message: /lives on cuda\(0\): copy it with to\(cpu\(\)\)/,
  });
});

test('what does not fit is refused on a device as on the CPU', (t) => {
  const there = ones([2], { device: first });
  t.throws(() => there.add(ones([3])), { instanceOf, code: 'shape_mismatch' });
  t.throws(() => there.copyFrom(ones([2], { dtype: 'int8' })), {
    instanceOf,
    code: 'dtype_mismatch',
  });
  t.throws(() => there.fill('1' as never), { instanceOf, code: 'bad_argument' });
});

test('there are only so many devices', (t) => {
  t.throws(() => zeros(1, { device: cuda(99) }), {
    instanceOf,
    code: 'cuda_unavailable',
    message: /^cuda\(99\) cannot hold tensors: there (is|are) only cuda\(0\)/,
  });
});

test('a handle crosses a clone, and both tensors have the same memory', (t) => {
  const there = full([3], 2, { device: first });
  const clone = structuredClone(there.handle());
  const data = clone.data as PlainArray;
  const other = Tensor.fromHandle(clone);
  other.add_(1);
  t.deepEqual(there.toArray(), [3, 3, 3]);
  const bad: readonly object[] = [
    { dtype: 'int8' },
    { shape: [4] },
    { device: second.index === 0 ? cpu() : second },
    { data: new Float32Array(new SharedArrayBuffer(12)) },
    { data: { ...data, length: 4 } },
    { data: { ...data, byteOffset: 4 } },
    { shape: [2], data: { ...data, length: 2, byteOffset: 2 } },
    { data: { ...data, device: 1 }, device: cuda(1) },
    { data: { ...data, id: -1 } },
    { data: null },
  ];
  for (const change of bad) {
    t.throws(() => Tensor.fromHandle({ ...clone, ...change } as never), {
      instanceOf,
      code: 'bad_argument',
    });
  }
});

test('a handle of an allocation that is gone fails when it is used', (t) => {
  const there = ones([3], { device: first });
  const { data: cloned, ...rest } = structuredClone(there.handle());
  const data = cloned as PlainArray;
  const gone = Tensor.fromHandle({ ...rest, data: { ...data, id: 2 ** 40 } } as never);
  t.throws(() => gone.toArray(), { instanceOf, code: 'peer_dead' });
  t.deepEqual(there.toArray(), [1, 1, 1]);
});

for (const dtype of ['float32', 'float16', 'int64'] satisfies DType[]) {
  test(`rows of ${dtype} may be on a device: they are sorted, printed and made dense`, (t) => {
    const make = (device = cpu()) =>
      rowSparse({
        shape: [6, 2],
        indices: [4, 1],
        rows: randomTensor(dtype, [2, 2], seed),
        device,
      });
    const [here, there] = [make(), make(first)];
    t.deepEqual(there.device, first);
    t.deepEqual(there.rows.device, first);
    t.deepEqual(there.indices, here.indices);
    sameBits(t, there.rows, here.rows, 'rows');
    sameBits(t, there.toDense(), here.toDense(), 'dense');
    t.is(String(there), String(here).replace('cpu(0)', 'cuda(0)'));
  });
}

test('what nobody has any more is looked for when much has come from other threads', (t) => {
  const idOf = (tensor: Tensor): number => (arrayOf(tensor) as DeviceArray).id;
  const id = idOf(zeros(1, { device: first }));
  const sent = zeros([2 ** 24], { device: first });
  for (let i = 0; i < 17; i++) Tensor.fromHandle(structuredClone(sent.handle()));
  t.false(isThere(id));
  t.true(isThere(idOf(sent)));
});

standInTest('memory of tensors that nobody has any more is given back', async (t) => {
  // More than the device has, if none of it were.
  for (let i = 0; i < 40; i++) {
    zeros([2 ** 24], { device: first });
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.pass();
});
