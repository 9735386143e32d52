import { inspect } from 'node:util';
import test from 'ava';
import { compressionSpec } from '../../src/core/compression.js';
import { codec, KVStoreError, tensor, zeros } from '../../src/index.js';

const instanceOf = KVStoreError;
const bits = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join(' ');

test('C1: 2bit packs codes from the most significant bits on, and keeps what they leave out', (t) => {
  const two = codec('2bit', { threshold: 0.5 });
  const residual = zeros([6]);
  const gradient = tensor([0.5, -0.5, 0.25, 1.75, -3, 0]);
  t.is(bits(two.encode(gradient, residual)), '11100011 10000000 00000000 00000000');
  t.deepEqual(residual.toArray(), [0, 0, 0.25, 1.25, -2.5, 0]);
  // The same gradient again: what was left out counts.
  const bytes = two.encode(gradient, residual);
  t.is(bits(bytes), '11101111 10000000 00000000 00000000');
  t.deepEqual(residual.toArray(), [0, 0, 0, 2.5, -5, 0]);
  t.deepEqual([...two.decode(bytes, 6)], [0.5, -0.5, 0.5, 0.5, -0.5, 0]);
});

test('C2: 1bit packs 32 elements to 4 bytes; a zero is a minus one', (t) => {
  const one = codec('1bit');
  const residual = new Float32Array(9);
  const bytes = one.encode(Float32Array.of(1, 0, -1, 0.5, 2, -0, 3, -3, 0.25), residual);
  t.is(bits(bytes), '10011010 10000000 00000000 00000000');
  t.deepEqual([...residual], [0, 1, 0, -0.5, 1, 1, 2, -2, -0.75]);
  t.deepEqual([...one.decode(bytes, 9)], [1, -1, -1, 1, 1, -1, 1, -1, 1]);
});

test('C1, C2: every group of 16 or 32 elements takes 4 bytes', (t) => {
  for (const [length, two, one] of [
    [0, 0, 0],
    [1, 4, 4],
    [16, 4, 4],
    [17, 8, 4],
    [32, 8, 4],
    [33, 12, 8],
  ] as const) {
    for (const [each, bytes] of [
      [codec('2bit'), two],
      [codec('1bit'), one],
    ] as const) {
      t.is(each.bytesFor(length), bytes);
      t.is(each.encode(zeros([length]), zeros([length])).length, bytes);
      t.is(each.decode(new Uint8Array(bytes), length).length, length);
    }
  }
});

test('S15: the gradient is not changed, and NaN stays in the residual', (t) => {
  const [gradient, residual] = [Float32Array.of(NaN, Infinity, -Infinity), new Float32Array(3)];
  t.is(bits(codec('2bit').encode(gradient, residual)), '00111000 00000000 00000000 00000000');
  t.deepEqual([...gradient], [NaN, Infinity, -Infinity]);
  t.deepEqual([...residual], [NaN, Infinity, -Infinity]);
});

test('C1: a sum on the threshold has a code, its neighbour below has none', (t) => {
  const below = 0.5 - 2 ** -25; // The float32 before 0.5.
  const residual = new Float32Array(4);
  const gradient = Float32Array.of(0.5, -0.5, below, -below);
  t.is(bits(codec('2bit').encode(gradient, residual)), '11100000 00000000 00000000 00000000');
  t.deepEqual([...residual], [0, 0, below, -below]);
});

test('C2: a sum on the threshold is a minus one, its neighbour above a one', (t) => {
  const above = 0.25 + 2 ** -25; // The float32 behind 0.25.
  const residual = new Float32Array(3);
  const one = codec('1bit', { threshold: 0.25 });
  t.is(
    bits(one.encode(Float32Array.of(0.25, above, -0.25), residual)),
    '01000000 00000000 00000000 00000000',
  );
  t.deepEqual([...residual], [1.25, Math.fround(above - 1), 0.75]);
});

test('C1: the threshold is rounded to float32, as sums are', (t) => {
  // Not a float32: a sum that is its rounding is on it.
  const two = codec('2bit', { threshold: 0.1 });
  t.is(two.threshold, 0.1);
  const bytes = two.encode(Float32Array.of(0.1, -0.1), new Float32Array(2));
  t.is(bytes[0], 0b11100000);
  t.deepEqual([...two.decode(bytes, 2)], [Math.fround(0.1), -Math.fround(0.1)]);
});

test('C1: a negative zero that is left out stays one, and its value is a zero', (t) => {
  const residual = Float32Array.of(-0, -0);
  const bytes = codec('2bit').encode(Float32Array.of(-0, 0), residual);
  t.true(Object.is(residual[0], -0) && Object.is(residual[1], 0));
  t.true(
    codec('2bit')
      .decode(bytes, 2)
      .every((value) => Object.is(value, 0)),
  );
});

test('S15: what codes leave out comes later, so that no part of a gradient is lost', (t) => {
  for (const each of [codec('2bit'), codec('1bit')]) {
    // Thirty-seconds: float32 adds them without rounding.
    const gradient = Float32Array.from({ length: 31 }, (_, i) => (i - 15) / 32);
    const [residual, sum] = [new Float32Array(31), new Float32Array(31)];
    for (let step = 0; step < 64; step++) {
      const values = each.decode(each.encode(gradient, residual), 31);
      values.forEach((value, i) => (sum[i]! += value));
    }
    t.deepEqual(
      [...sum.map((value, i) => value + residual[i]!)],
      [...gradient.map((value) => 64 * value)],
      each.type,
    );
    t.true(residual.every((left) => Math.abs(left) <= 1.5));
  }
});

test('S15: thresholds have defaults', (t) => {
  t.deepEqual({ ...compressionSpec({ type: '2bit' }) }, { type: '2bit', threshold: 0.5 });
  t.deepEqual({ ...compressionSpec({ type: '1bit' }) }, { type: '1bit', threshold: 0 });
  t.is(codec('2bit').threshold, 0.5);
});

const bad: readonly [unknown, RegExp][] = [
  [undefined, /\{ type, threshold\? \}, got undefined/],
  ['2bit', /\{ type, threshold\? \}/],
  [{}, /type "2bit" or "1bit", got undefined/],
  [{ type: '4bit' }, /got "4bit"/],
  [{ type: '2bit', bits: 3 }, /option threshold of 2bit, got "bits"/],
  [{ type: '2BIT' }, /got "2BIT"/],
  [{ type: 'toString' }, /got "toString"/],
  [{ type: '2bit', threshold: 0 }, /threshold above 0, got 0/],
  [{ type: '2bit', threshold: -1 }, /above 0/],
  [{ type: '2bit', threshold: 1e-50 }, /above 0/],
  [{ type: '2bit', threshold: NaN }, /got NaN/],
  [{ type: '2bit', threshold: null }, /got null/],
  [{ type: '1bit', threshold: 1e39 }, /finite threshold, got 1e\+39/],
  [{ type: '1bit', threshold: NaN }, /finite threshold, got NaN/],
  [{ type: '1bit', threshold: Infinity }, /finite threshold, got Infinity/],
  [{ type: '1bit', threshold: '0' }, /finite threshold, got "0"/],
];
for (const [given, message] of bad) {
  test(`S15: ${inspect(given)} is no compression`, (t) => {
    t.throws(() => compressionSpec(given), { instanceOf, code: 'bad_compression', message });
  });
}

test('S15: a codec refuses what it cannot encode', (t) => {
  const { encode } = codec('2bit');
  const four = zeros([4]);
  t.throws(() => encode(zeros([4], { dtype: 'float64' }), four), {
    instanceOf,
    code: 'unsupported',
  });
  t.throws(() => encode([1] as never, four), { instanceOf, code: 'bad_argument' });
  t.throws(() => encode(four, zeros([3])), { instanceOf, code: 'length_mismatch' });
  t.throws(() => encode(four, four), { instanceOf, code: 'bad_argument' });
  t.throws(() => encode(new Float64Array(4) as never, four), { instanceOf, code: 'unsupported' });
  t.throws(() => encode(four, null as never), { instanceOf, code: 'bad_argument' });
  const wide = new Float32Array(8);
  t.throws(() => encode(wide.subarray(0, 4), wide.subarray(3, 7)), {
    instanceOf,
    code: 'bad_argument',
    message: /overlap/,
  });
  t.notThrows(() => encode(wide.subarray(0, 4), wide.subarray(4)));
  t.throws(() => codec('2bit').bytesFor(1.5), { instanceOf, code: 'bad_argument' });
});

test('S15: a codec has one option', (t) => {
  const refused = { instanceOf, code: 'bad_compression' };
  t.throws(() => codec('3bit' as never), refused);
  t.throws(() => codec('2bit', null as never), refused);
  t.throws(() => codec('2bit', 0.5 as never), refused);
  t.throws(() => codec('2bit', { type: '1bit' } as never), refused);
});

test('S15: a codec refuses bytes that it cannot have written', (t) => {
  const refuses = (
    type: '1bit' | '2bit',
    bytes: unknown,
    length: unknown,
    message: RegExp,
  ): void => {
    const decode = (): unknown => codec(type).decode(bytes as Uint8Array, length as number);
    t.throws(decode, { instanceOf, code: 'bad_argument', message });
  };
  refuses('2bit', new Uint8Array(3), 1, /4 bytes for 1 elements, got 3/);
  refuses('2bit', new Uint8Array(4), 17, /8 bytes/);
  refuses('2bit', Uint8Array.of(0b01000000, 0, 0, 0), 4, /01 in byte 0/);
  refuses('2bit', Uint8Array.of(0b11000000, 0b00011100, 0, 0), 8, /01 in byte 1/);
  refuses('2bit', Uint8Array.of(0b11110000, 0, 0, 0), 1, /zeros behind the last code, got byte 0/);
  refuses('1bit', Uint8Array.of(0, 0b10000000, 0, 0), 8, /got byte 1/);
  refuses('1bit', new Uint8Array(4), -1, /a number of elements/);
  refuses('1bit', [0, 0, 0, 0], 1, /a Uint8Array/);
});
