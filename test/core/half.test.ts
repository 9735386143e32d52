import test from 'ava';
import {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
} from '../../src/core/half.js';
import * as halves from '../helpers/halves.js';
import { randomTest } from '../helpers/random-test.js';

const codecs = {
  float16: { decode: float16ToNumber, encode: numberToFloat16 },
  bfloat16: { decode: bfloat16ToNumber, encode: numberToBfloat16 },
} as const;

const allBits = Array.from({ length: 2 ** 16 }, (_, bits) => bits);
const hex = (bits: number | undefined): string => `0x${bits?.toString(16).padStart(4, '0')}`;

for (const format of halves.halfFormats) {
  const { name } = format;
  const { decode, encode } = codecs[name];
  const sizes = halves.magnitudes(format);
  const infinity = halves.infinityOf(format);
  const smallest = sizes[1]!;
  const largest = sizes.at(-1)!;

  test(`V2: all 65536 patterns of ${name} are the numbers that IEEE 754 says`, (t) => {
    const wrong = allBits.find((bits) => !Object.is(decode(bits), halves.decodeHalf(format, bits)));
    t.is(wrong, undefined, hex(wrong));
  });

  test(`V2: every number of ${name} is encoded as the pattern it came from, NaN as a NaN`, (t) => {
    const wrong = allBits.find((bits) => {
      const x = decode(bits);
      return Number.isNaN(x) ? !Number.isNaN(decode(encode(x))) : encode(x) !== bits;
    });
    t.is(wrong, undefined, hex(wrong));
  });

  test(`V2: ties between neighbours of ${name} go to the even one, all else to the nearer`, (t) => {
    // A float64 step from a tie is lost in float32: rounding twice would take it for the tie.
    const wrong = Array.from(sizes.keys()).find((below) => {
      const above = below + 1;
      const next = sizes[above] ?? halves.beyond(format);
      const tie = (sizes[below]! + next) / 2;
      const even = below % 2 === 0 ? below : above;
      return [0, 0x8000].some((sign) => {
        const rounds = (x: number): number => encode(sign === 0 ? x : -x) - sign;
        return (
          rounds(tie) !== even ||
          rounds(halves.step(tie, -1n)) !== below ||
          rounds(halves.step(tie, 1n)) !== above
        );
      });
    });
    t.is(wrong, undefined, hex(wrong));
  });

  test(`V2: a float64 step beside a number of ${name} gives that number`, (t) => {
    const wrong = Array.from(sizes.keys()).find(
      (bits) =>
        bits > 0 && [1n, -1n].some((steps) => encode(halves.step(sizes[bits]!, steps)) !== bits),
    );
    t.is(wrong, undefined, hex(wrong));
  });

  test(`V2: what is too large for ${name} becomes an infinity, from half a step beyond`, (t) => {
    const tie = (largest + halves.beyond(format)) / 2;
    for (const x of [tie, halves.step(tie, 1n), halves.beyond(format), 1e300, Infinity]) {
      t.is(encode(x), infinity, `${x}`);
      t.is(encode(-x), 0x8000 | infinity, `${-x}`);
    }
    t.is(encode(halves.step(tie, -1n)), infinity - 1);
    t.is(encode(-halves.step(tie, -1n)), 0x8000 | (infinity - 1));
  });

  test(`V2: what is too small for ${name} becomes a zero of its sign`, (t) => {
    for (const x of [0, Number.MIN_VALUE, 2 ** -1022, 2 ** -200, smallest / 4, smallest / 2]) {
      t.is(encode(x), 0, `${x}`);
      t.is(encode(-x), 0x8000, `${-x}`);
    }
    t.is(encode(halves.step(smallest / 2, 1n)), 1);
    t.true(Object.is(decode(0x8000), -0));
  });

  test(`V2: the smallest and largest numbers of ${name} are where they should be`, (t) => {
    const limits = {
      float16: [2 ** -24, 2 ** -14, 65504],
      bfloat16: [2 ** -133, 2 ** -126, 3.3895313892515355e38],
    };
    const [subnormal, normal, last] = limits[name];
    t.is(decode(1), subnormal!);
    t.is(decode(2 ** format.fractionBits), normal!);
    t.is(decode(infinity - 1), last!);
  });

  randomTest(`V2: any number becomes the nearest of ${name}`, 4, (t, random) => {
    const wrong = Array.from({ length: 20_000 }, () => {
      // Of every magnitude that the format knows and some that it does not.
      const size = (1 + random.next()) * 2 ** (random.integer(300) - 160);
      return random.chance(0.5) ? size : -size;
    }).find((x) => encode(x) !== halves.nearestHalf(format, sizes, x));
    t.is(wrong, undefined);
    return Promise.resolve();
  });
}
