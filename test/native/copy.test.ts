import test from 'ava';
import fc from 'fast-check';
import type { AnyTypedArray } from '../../native/kernels.js';
import { generator } from '../helpers/floats.js';
import { checkProperty, everyKernels, expect, lengths } from './support.js';

const arrayTypes = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];
type ArrayType = (typeof arrayTypes)[number];

const guardBytes = 64;

/** Random bytes on both sides of a view of them, so that the whole buffer can be compared. */
function randomView(Type: ArrayType, length: number, offset: number, seed: number): AnyTypedArray {
  const begin = guardBytes + offset * Type.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(begin + length * Type.BYTES_PER_ELEMENT + guardBytes);
  const next = generator(seed);
  for (let i = 0; i < bytes.length; i++) bytes[i] = next();
  return new Type(bytes.buffer, begin, length);
}

const bytesOf = (view: AnyTypedArray) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);

/** Where the guards begin and end, seen from the view. */
const guardsOf = (view: AnyTypedArray) => [
  Buffer.from(view.buffer.slice(0, view.byteOffset)),
  Buffer.from(view.buffer.slice(view.byteOffset + view.byteLength)),
];

for (const kernels of everyKernels) {
  const checkCopy = (Type: ArrayType, length: number, outCount: number, seed: number) => {
    const source = randomView(Type, length, seed % 5, seed);
    const outs = Array.from({ length: outCount }, (_, k) => randomView(Type, length, k, seed + k));
    const guards = outs.map(guardsOf);
    kernels.copy(source, outs);
    for (const [k, out] of outs.entries()) {
      const what = `${Type.name}, length ${length}, out ${k} of ${outCount}`;
      expect(bytesOf(out).equals(bytesOf(source)), what);
      expect(
        guardsOf(out).every((bytes, side) => bytes.equals(guards[k]![side]!)),
        what,
        'bytes outside',
      );
    }
  };

  test(`copy gives every out the bytes of the source: ${kernels.cpu}`, (t) => {
    for (const Type of arrayTypes) {
      for (const length of [0, 1, 7, 64, 1023, 1024, 1025, 8191, 8193]) {
        for (const outCount of [0, 1, 2, 5]) checkCopy(Type, length, outCount, length);
      }
    }
    for (const length of lengths) checkCopy(Uint8Array, length, 2, length);
    checkCopy(Float32Array, 100, 65, 1);
    t.pass();
  });

  test(`copy keeps its word where the outs are larger than the caches: ${kernels.cpu}`, (t) => {
    const source = new Int32Array(2 ** 20 + 5).fill(7).subarray(3);
    const outs = Array.from({ length: 4 }, (_, k) =>
      new Int32Array(source.length + 2 * k).subarray(k, k + source.length),
    );
    kernels.copy(source, outs);
    for (const [k, out] of outs.entries()) {
      t.true(bytesOf(out).equals(bytesOf(source)));
      const all = new Int32Array(out.buffer);
      t.true(all.subarray(0, k).every((x) => x === 0));
      t.true(all.subarray(k + out.length).every((x) => x === 0));
    }
  });

  test(`copy keeps the bits of a NaN: ${kernels.cpu}`, (t) => {
    const bits = Uint32Array.of(0x7fa00001, 0xffc12345, 0x7f800001);
    const out = new Uint32Array(3);
    kernels.copy(new Float32Array(bits.buffer), [new Float32Array(out.buffer)]);
    t.deepEqual([...out], [...bits]);
  });

  test(`copy takes the source as an out, and an out twice: ${kernels.cpu}`, (t) => {
    const source = Float32Array.of(1, 2, 3);
    const out = new Float32Array(3);
    kernels.copy(source, [source, out, out]);
    t.deepEqual([...source, ...out], [1, 2, 3, 1, 2, 3]);
  });

  test(`copy gives the bytes of the source for any input: ${kernels.cpu}`, (t) => {
    const cases = fc.record({
      type: fc.nat({ max: arrayTypes.length - 1 }),
      length: fc.nat({ max: 20_000 }),
      outCount: fc.nat({ max: 6 }),
      seed: fc.nat(),
    });
    checkProperty(t, cases, ({ type, length, outCount, seed }) => {
      checkCopy(arrayTypes[type]!, length, outCount, seed);
    });
  });

  test(`copy refuses what would read or write elsewhere: ${kernels.cpu}`, (t) => {
    const wide = new Int8Array(8);
    t.throws(() => kernels.copy(wide, [new Int8Array(7)]), { message: /one length/ });
    t.throws(() => kernels.copy(wide, [new Uint8Array(8)]), { message: /one type/ });
    t.throws(() => kernels.copy(wide.subarray(0, 4), [wide.subarray(2, 6)]), {
      message: /must not overlap in part/,
    });
    t.throws(() => kernels.copy(wide, [new DataView(wide.buffer)] as never), {
      message: /one type/,
    });
  });
}
