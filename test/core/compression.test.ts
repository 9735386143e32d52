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
    t.is(codec('2bit').encode(zeros([length]), zeros([length])).length, two);
    t.is(codec('1bit').encode(zeros([length]), zeros([length])).length, one);
  }
});

test('S15: the gradient is not changed, and NaN stays in the residual', (t) => {
  const [gradient, residual] = [Float32Array.of(NaN, Infinity, -Infinity), new Float32Array(3)];
  t.is(bits(codec('2bit').encode(gradient, residual)), '00111000 00000000 00000000 00000000');
  t.deepEqual([...gradient], [NaN, Infinity, -Infinity]);
  t.deepEqual([...residual], [NaN, Infinity, -Infinity]);
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
  [{ type: '2bit', bits: 3 }, /options type, threshold, got "bits"/],
  [{ type: '2bit', threshold: 0 }, /threshold above 0, got 0/],
  [{ type: '2bit', threshold: -1 }, /above 0/],
  [{ type: '2bit', threshold: 1e-50 }, /above 0/],
  [{ type: '2bit', threshold: NaN }, /got NaN/],
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
  t.throws(() => codec('3bit' as never), { instanceOf, code: 'bad_compression' });
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
