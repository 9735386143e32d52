import type { ExecutionContext } from 'ava';
import { dtypes, type DType } from '../../src/core/dtypes.js';
import { castElements } from '../../src/core/elements.js';
import { cpu, tensor, zeros, type AnyTensor, type KVStore, type Tensor } from '../../src/index.js';
import { firstDifference, zeros as array } from '../helpers/floats.js';
import { onEveryPlane, onInlinePlane } from '../helpers/planes.js';
import { rejects } from '../helpers/workers.js';

const names = dtypes.map(({ name }) => name);

/** A tensor of `dtype` from numbers that it holds exactly, or saturates. */
function of(dtype: DType, numbers: readonly number[]): Tensor {
  return tensor(numbers as number[], { dtype });
}

/** Asserts that `actual` has the bits, dtype and shape of `expected`. */
function same(t: ExecutionContext, actual: AnyTensor, expected: AnyTensor, what = ''): void {
  t.is(actual.dtype, expected.dtype, what);
  t.deepEqual(actual.shape, expected.shape, what);
  t.is(firstDifference(actual.data, expected.data, expected.dtype), -1, `${what} ${actual}`);
}

/** Asserts that a fresh pull and one into an out both give `expected`. */
async function holds(t: ExecutionContext, kv: KVStore, expected: AnyTensor): Promise<void> {
  same(t, await kv.pull('w'), expected, 'fresh');
  const out = zeros(expected.shape, { dtype: expected.dtype, device: cpu(1) });
  t.is(await kv.pull('w', { out }), out);
  same(t, out, expected, 'out');
}

/** Numbers of interest in each dtype, all of them held exactly: its ends, and around zero. */
const samples: Readonly<Record<DType, readonly number[]>> = {
  float32: [0, -0, 1.5, -2.75, 3.4028234663852886e38, 2 ** -149, Infinity, -Infinity, NaN, 3e9],
  float64: [0, -0, 0.1, -1e300, 5e-324, 2 ** 53 - 1, 1 + 2 ** -40, Infinity, NaN, -129.5],
  float16: [0, -0, 1.5, -65504, 65504, 2 ** -24, Infinity, -Infinity, NaN, -2.75],
  bfloat16: [0, -0, 1.5, -3.3895313892515355e38, 2 ** -133, 257 * 256, Infinity, NaN, -2.75],
  int8: [0, 1, -1, 127, -128, 5],
  uint8: [0, 1, 127, 128, 255, 5],
  int32: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 65520, 16777217, -300],
  int64: [0, 1, -1, 2 ** 53 - 1, -(2 ** 53), 2 ** 31, -300, 65520],
};

for (const dtype of names) {
  const is64 = dtype === 'int64';

  onEveryPlane(`V2: ${dtype} without an updater: a push replaces`, async (t, open) => {
    const kv = await open();
    const first = of(dtype, samples[dtype]);
    await kv.init('w', first);
    await holds(t, kv, first);
    const second = of(dtype, [...samples[dtype]].reverse());
    await kv.push('w', second);
    await holds(t, kv, second);
  });

  onInlinePlane(`V2: ${dtype} without an updater: a list becomes its sum`, async (t, open) => {
    const kv = await open();
    await kv.init('w', of(dtype, [9, 9, 9]));
    for (const count of [1, 2, 3, 9]) {
      const values = Array.from({ length: count }, (_, i) => of(dtype, [1, i, 2 * i]));
      await kv.push('w', values);
      const sum = (count * (count - 1)) / 2;
      await holds(t, kv, of(dtype, [count, sum, 2 * sum]));
      same(t, values.at(-1)!, of(dtype, [1, count - 1, 2 * count - 2]), 'a value');
    }
  });

  onInlinePlane(`V2: ${dtype} with an updater: it gets sums of that dtype`, async (t, open) => {
    const kv = await open();
    await kv.init('w', of(dtype, [1, 2, 3]));
    const seen: string[] = [];
    await kv.setUpdater((_, input, stored) => {
      seen.push(`${input.dtype} ${stored.dtype}`);
      stored.add_(input, is64 ? 2n : 2);
    });
    await kv.push('w', of(dtype, [1, 0, 5]));
    await holds(t, kv, of(dtype, [3, 2, 13]));
    await kv.push('w', [of(dtype, [1, 2, 3]), of(dtype, [4, 5, 6])]);
    await holds(t, kv, of(dtype, [13, 16, 31]));
    t.deepEqual(seen, [`${dtype} ${dtype}`, `${dtype} ${dtype}`]);
  });

  onEveryPlane(`V2: ${dtype} is pulled into outs of every dtype at once`, async (t, open) => {
    const kv = await open();
    const stored = of(dtype, samples[dtype]);
    const outs = (): Tensor[] => names.map((to) => zeros(stored.shape, { dtype: to }));
    const check = (pulled: readonly AnyTensor[]): void => {
      for (const out of pulled) {
        // The cast itself is checked element by element in test/core/elements.test.ts.
        const expected = array(stored.size, out.dtype);
        castElements(stored.data, dtype, expected, out.dtype);
        t.is(firstDifference(out.data, expected, out.dtype), -1, `${dtype} as ${out}`);
      }
    };
    const [broadcast, pulled, after] = [outs(), outs(), outs()];
    await kv.broadcast('w', stored, { out: broadcast });
    check(broadcast);
    await kv.pull('w', { out: pulled });
    check(pulled);
    await kv.pushpull('w', stored, { out: after });
    check(after);
    for (const out of outs()) check([await kv.pull('w', { out })]);
  });

  onInlinePlane(`V2: a push of another dtype to ${dtype} changes nothing`, async (t, open) => {
    const kv = await open();
    const stored = of(dtype, [1, 2, 3]);
    await kv.init(['w', 'other'], [stored, stored]);
    for (const stranger of names.filter((name) => name !== dtype)) {
      const [good, bad] = [of(dtype, [7, 7, 7]), of(stranger, [4, 5, 6])];
      const error = { code: 'dtype_mismatch', key: 'w', says: ['"w"', dtype, stranger] } as const;
      await rejects(t, kv.push('w', bad), error);
      await rejects(t, kv.push('w', [good, bad]), error);
      await rejects(t, kv.push(['other', 'w'], [good, bad]), error);
      await rejects(t, kv.pushpull('w', bad, { out: good }), error);
      await rejects(t, kv.pushpull('w', bad), error);
      same(t, good, of(dtype, [7, 7, 7]), stranger);
      same(t, bad, of(stranger, [4, 5, 6]), stranger);
    }
    await holds(t, kv, stored);
    same(t, await kv.pull('other'), stored);
  });

  onInlinePlane(`V2: ${dtype} in tensors of 0, 1 and 5 dimensions, and empty`, async (t, open) => {
    const kv = await open();
    const shapes = [[], [1], [5], [2, 1, 3, 1, 2], [0], [2, 0, 3], [0, 0, 0, 0, 0]];
    const fill = (shape: readonly number[], x: number): Tensor => {
      const out: AnyTensor = zeros(shape, { dtype });
      return (is64 ? out.fill(BigInt(x)) : out.fill(x)) as Tensor;
    };
    const all = (x: number): Tensor[] => shapes.map((shape) => fill(shape, x));
    const keys = [...shapes.keys()];
    const check = (pulled: readonly AnyTensor[], x: number): void =>
      pulled.forEach((each, i) => same(t, each, fill(shapes[i]!, x)));

    await kv.init(keys, all(1));
    check(await kv.pull(keys), 1);
    await kv.push(
      keys,
      keys.map((i) => [all(2)[i]!, all(3)[i]!]),
    );
    check(await kv.pull(keys, { out: all(0) }), 5);
    await kv.setUpdater((_, input, stored) => void stored.add_(input));
    check(await kv.pushpull(keys, all(4), { out: all(0) }), 9);
    const doubles = shapes.map((shape) => zeros(shape, { dtype: 'float64' }));
    await kv.pull(keys, { out: doubles });
    t.true(doubles.every((each) => each.data.every((x) => x === 9)));
  });
}

onEveryPlane('V2: int64 is stored, summed, updated and pulled beyond 2 ** 53', async (t, open) => {
  const kv = await open();
  const large = 2n ** 53n + 1n;
  const [high, low] = [2n ** 63n - 1n, -(2n ** 63n)];
  const int64 = (...numbers: bigint[]): Tensor => tensor(numbers) as AnyTensor as Tensor;
  await kv.init('w', int64(large, high, low));
  await holds(t, kv, int64(large, high, low));
  await kv.push('w', [int64(large, high, low), int64(large, 1n, -1n), int64(1n, 0n, 0n)]);
  await holds(t, kv, int64(2n * large + 1n, low, high)); // Sums wrap around.
  await kv.setUpdater((_, input, stored) => void stored.add_(input, -1n));
  await kv.push('w', int64(2n, 1n, 2n ** 62n + 1n));
  await holds(t, kv, int64(2n * large - 1n, high, 2n ** 62n - 2n));

  const outs = [zeros(3, { dtype: 'float64' }), zeros(3), zeros(3, { dtype: 'int32' })] as const;
  await kv.pull('w', { out: outs });
  t.deepEqual([...outs[0].data], [2 ** 54, 2 ** 63, 2 ** 62]);
  t.deepEqual([...outs[1].data], [2 ** 54, 2 ** 63, 2 ** 62]);
  t.deepEqual([...outs[2].data], [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});

onEveryPlane('V2: small integers wrap around in sums and saturate in pulls', async (t, open) => {
  const kv = await open();
  const sums = { int8: -56, uint8: 200, int32: 200 } as const;
  for (const [dtype, sum] of Object.entries(sums) as ['int8' | 'uint8' | 'int32', number][]) {
    await kv.init(dtype, of(dtype, [0]));
    await kv.push(dtype, [of(dtype, [100]), of(dtype, [100])]);
    t.is((await kv.pull(dtype)).data[0], sum, dtype);
  }
  const [small, byte] = [zeros(1, { dtype: 'int8' }), zeros(1, { dtype: 'uint8' })];
  await kv.pull(['uint8', 'int8'], { out: [small, byte] });
  t.deepEqual([small.data[0], byte.data[0]], [127, 0]);
});

onEveryPlane('V2: halves are summed in float32 and rounded once', async (t, open) => {
  const kv = await open();
  for (const [dtype, large, sum] of [
    ['float16', 2048, 2050],
    ['bfloat16', 256, 258],
  ] as const) {
    await kv.init(dtype, of(dtype, [0, 0]));
    const ones = of(dtype, [1, -large]);
    // Each 1 alone would be a tie that rounds to the large number, and be lost.
    await kv.push(dtype, [of(dtype, [large, large]), ones, of(dtype, [1, 0.5])]);
    same(t, await kv.pull(dtype), of(dtype, [sum, 0.5]));
  }
  const most = of('float16', [65504]);
  await kv.init('most', most); // Twice that is infinite in float16.
  await kv.push('most', [most, most, of('float16', [-65504])]);
  same(t, await kv.pull('most'), most);
});
