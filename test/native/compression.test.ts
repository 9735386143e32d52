import test from 'ava';
import * as reference from '../../native/reference.js';
import type { Kernels } from '../../native/kernels.js';
import { compressedBytes, type CompressionSpec } from '../../src/core/compression.js';
import { firstDifference, generator, guarded, guardedCopy, randoms } from '../helpers/floats.js';
import { Random, seed } from '../helpers/random.js';
import { compiledKernels, everyKernels, expect } from './support.js';

const codecs: readonly CompressionSpec[] = [
  { type: '2bit', threshold: 0.5 },
  { type: '2bit', threshold: 0.1 },
  { type: '2bit', threshold: 1e-45 },
  { type: '2bit', threshold: 3e38 },
  { type: '1bit', threshold: 0 },
  { type: '1bit', threshold: -0.3 },
];

/** Numbers around the thresholds, some exactly on them, some special. */
function gradientOf(length: number, start: number, { threshold }: CompressionSpec): Float32Array {
  const next = generator(start);
  const specials = randoms(64, start, 'float32');
  const gradient = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const kind = next() % 16;
    if (kind === 0) gradient[i] = threshold;
    else if (kind === 1) gradient[i] = -threshold;
    else if (kind === 2) gradient[i] = specials[next() % 64]!;
    else if (kind === 3) gradient[i] = -0;
    else gradient[i] = next() / 2 ** 31 - 1;
  }
  return gradient;
}

/** What one gradient and residual are, and what the reference makes of them. */
function caseOf(codec: CompressionSpec, length: number, start: number) {
  const gradient = guardedCopy(gradientOf(length, start, codec), start % 4, 'float32').data;
  const residual = gradientOf(length, start + 1, codec);
  const bytes = new Uint8Array(compressedBytes(codec.type, length));
  const left = residual.slice();
  reference.encode(codec, gradient, left, bytes);
  const values = new Float32Array(length);
  reference.decode(codec, bytes, values);
  return { codec, length, start, gradient, residual, bytes, left, values };
}

/** Each operation of the codec once, against the reference. */
function check(kernels: Kernels, expected: ReturnType<typeof caseOf>): void {
  const { codec, length, start, gradient, residual, bytes, left, values } = expected;
  const what = [kernels.cpu, JSON.stringify(codec), `length ${length}`, `seed ${start}`];
  const actualBytes = guarded(bytes.length, start % 5, 'uint8');
  const actualLeft = guardedCopy(residual, (start + 1) % 4, 'float32');
  kernels.encode(codec, gradient, actualLeft.data, actualBytes.data);
  expect(firstDifference(actualBytes.data, bytes) === -1, ...what, 'codes');
  expect(firstDifference(actualLeft.data, left) === -1, ...what, 'residual');

  const decoded = guarded(length, (start + 2) % 4, 'float32');
  kernels.decode(codec, actualBytes.data, decoded.data);
  expect(firstDifference(decoded.data, values) === -1, ...what, 'values');

  const [quantized, rest] = [guarded(length, 1, 'float32'), guarded(length, 3, 'float32')];
  kernels.quantize(codec, [gradient, residual], rest.data, quantized.data);
  expect(firstDifference(quantized.data, values) === -1, ...what, 'quantized values');
  expect(firstDifference(rest.data, left) === -1, ...what, 'quantized residual');
  const intact = [actualBytes, actualLeft, decoded, quantized, rest].every((each) =>
    each.isIntact(),
  );
  expect(intact, ...what, 'bytes outside');
}

test('S15, C1, C2: 100,000 operations equal the reference, at every length and level', (t) => {
  t.log(`TENSORKV_SEED=${seed}`);
  const random = new Random(seed);
  const levels = compiledKernels.length > 0 ? compiledKernels : everyKernels;
  let operations = 0;
  const checkAll = (codec: CompressionSpec, length: number): void => {
    const expected = caseOf(codec, length, random.integer(2 ** 30));
    for (const kernels of levels) check(kernels, expected);
    operations += 3 * levels.length;
  };
  for (let length = 0; length <= 4096; length++) {
    for (const type of ['2bit', '1bit'] as const) {
      checkAll(random.pick(codecs.filter((codec) => codec.type === type)), length);
    }
  }
  while (operations < 100_000) checkAll(random.pick(codecs), random.integer(200));
  t.log(`${operations} operations on ${levels.map(({ cpu }) => cpu).join(', ')}`);
  t.pass();
});

for (const kernels of everyKernels) {
  test(`S15: quantize may update its residual and its gradient in place: ${kernels.cpu}`, (t) => {
    const codec = codecs[0]!;
    const [gradient, residual] = [gradientOf(99, 1, codec), gradientOf(99, 2, codec)];
    const [values, left] = [new Float32Array(99), new Float32Array(99)];
    reference.quantize(codec, [gradient, residual], left, values);
    kernels.quantize(codec, [gradient, residual], residual, gradient);
    t.is(firstDifference(gradient, values), -1);
    t.is(firstDifference(residual, left), -1);
  });

  test(`S15: the kernels refuse what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const codec = codecs[0]!;
    const [four, other] = [new Float32Array(4), new Float32Array(4)];
    const bytes = new Uint8Array(4);
    t.throws(() => kernels.encode(codec, four, four, bytes), { message: /must not overlap/ });
    t.throws(() => kernels.encode(codec, four, new Float32Array(3), bytes), { message: /length/ });
    t.throws(() => kernels.encode(codec, four, other, new Uint8Array(5)), {
      message: /codes have/,
    });
    const wrong = new Float64Array(4) as never;
    t.throws(() => kernels.encode(codec, wrong, other, bytes), { message: /float32 alone/ });
    t.throws(() => kernels.decode(codec, new Uint8Array(0), four), { message: /codes have/ });
    t.throws(() => kernels.decode(codec, new Uint8Array(four.buffer, 0, 4), four), {
      message: /must not overlap/,
    });
    t.throws(() => kernels.quantize(codec, [four, other], other, other), {
      message: /of their own/,
    });
    t.throws(() => kernels.quantize(codec, [four, other], four, new Float32Array(4)), {
      message: /must not overlap/,
    });
  });
}
