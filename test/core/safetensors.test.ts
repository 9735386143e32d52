import test from 'ava';
import { dtypes } from '../../src/core/dtypes.js';
import { scanNames } from '../../src/core/json-names.js';
import {
  bytesOf,
  encodeHeader,
  fileOrder,
  headerLength,
  lengthBytes,
  parseHeader,
  type Header,
} from '../../src/core/safetensors.js';
import { KVStoreError } from '../../src/index.js';

const instanceOf = KVStoreError;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (header: unknown, dataBytes: number): Header =>
  parseHeader(bytes(typeof header === 'string' ? header : JSON.stringify(header)), dataBytes);

test('S16: a header says what it was made of', (t) => {
  const names = ['w', '__proto__', 'constructor', 'a/b "quoted" \\', 'ключ', '😀'];
  const shapes = [[], [0], [3], [2, 0, 5], [2, 3], [1]];
  const tensors = fileOrder(
    dtypes.flatMap(({ name: dtype }) =>
      names.map((name, i) => ({ name: `${dtype}/${name}`, dtype, shape: shapes[i]! })),
    ),
  );
  tensors.push({ name: '__proto__', dtype: 'int8', shape: [1] });
  const metadata = new Map([
    ['__proto__', 'x'],
    ['note', 'line\nbreak'],
  ]);
  const file = encodeHeader(tensors, metadata);
  t.is(file.length % 8, 0);
  const total = tensors.reduce((sum, each) => sum + bytesOf(each), 0);
  t.is(headerLength(file, file.length + total), file.length - lengthBytes);
  const header = parseHeader(file.subarray(lengthBytes), total);
  t.deepEqual(header.metadata, metadata);
  t.deepEqual([...header.tensors.keys()].sort(), tensors.map(({ name }) => name).sort());
  let at = 0;
  for (const { name, dtype, shape } of tensors) {
    const entry = header.tensors.get(name)!;
    t.like(entry, { dtype, begin: at });
    t.deepEqual(entry.shape, shape);
    at = entry.end;
  }
});

test('S16: elements begin at a multiple of their size', (t) => {
  const tensors = fileOrder(
    dtypes.map(({ name: dtype }) => ({ name: dtype, dtype, shape: [3] as const })),
  );
  const file = encodeHeader(tensors, new Map());
  const header = parseHeader(
    file.subarray(lengthBytes),
    tensors.reduce((sum, each) => sum + bytesOf(each), 0),
  );
  for (const { name, bytes: size } of dtypes) t.is(header.tensors.get(name)!.begin % size, 0, name);
});

const f32 = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: offsets,
});

/** Headers that are not sound, for so many bytes of data, with what is said of them. */
const unsound: readonly [string, unknown, number, RegExp][] = [
  ['no JSON', '{"a":', 0, /header of JSON/],
  ['nothing', '', 0, /header of JSON/],
  ['a list', '[]', 0, /header that is an object/],
  ['null', 'null', 0, /header that is an object, got null/],
  ['spaces in front', ' {}', 0, /header that is an object/],
  ['a byte order mark', '\ufeff{}', 0, /header/],
  ['a name twice', '{"a":{},"a":{}}', 0, /each name once, got "a" twice/],
  ['a name twice, escaped', '{"a":{},"\\u0061":{}}', 0, /got "a" twice/],
  ['a field twice', '{"a":{"dtype":"F32","dtype":"F32"}}', 0, /got "dtype" twice/],
  ['a tensor that is a number', { a: 4 }, 0, /tensor "a" to be an object, got 4/],
  ['an unknown dtype', { a: f32([1], [0, 4], 'F33') }, 4, /dtype of F32, .*, got "F33"/],
  ['a dtype of the prototype', { a: f32([1], [0, 4], 'constructor') }, 4, /dtype/],
  ['no shape', { a: f32(undefined, [0, 4]) }, 4, /shape of integers/],
  ['a negative length', { a: f32([-1], [0, 4]) }, 4, /shape of integers/],
  ['half a length', { a: f32([0.5], [0, 4]) }, 4, /shape of integers/],
  ['a product past all bounds', { a: f32([2 ** 40, 2 ** 40], [0, 4]) }, 4, /shape of integers/],
  ['one offset', { a: f32([1], [4]) }, 4, /two offsets/],
  ['offsets of text', { a: f32([1], ['0', '4']) }, 4, /two offsets/],
  ['offsets backwards', { a: f32([1], [4, 0]) }, 4, /within 4 bytes, got offsets 4 to 0/],
  ['an offset past the end', { a: f32([2], [0, 8]) }, 4, /within 4 bytes, got offsets 0 to 8/],
  ['a huge offset', { a: f32([2], [0, 1e300]) }, 4, /two offsets/],
  ['too few bytes', { a: f32([2], [0, 4]) }, 4, /shape \[2\] to have 8 bytes, got 4/],
  ['too many bytes', { a: f32([], [0, 8]) }, 8, /shape \[\] to have 4 bytes, got 8/],
  ['an overlap', { a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, 8, /an overlap/],
  ['the same bytes twice', { a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, 4, /an overlap/],
  ['a hole', { a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12, /a hole/],
  ['a hole in front', { a: f32([1], [4, 8]) }, 8, /a hole/],
  ['bytes behind', { a: f32([1], [0, 4]) }, 8, /expected 4 bytes of tensors, got 8/],
  ['metadata of numbers', { __metadata__: { a: 1 } }, 0, /metadata "a" to be a string, got 1/],
  ['metadata as a list', { __metadata__: [] }, 0, /metadata to be an object/],
];
for (const [what, header, dataBytes, message] of unsound) {
  test(`S16: a header with ${what} is refused`, (t) => {
    t.throws(() => parse(header, dataBytes), { instanceOf, code: 'bad_checkpoint', message });
  });
}

test('S16: a header that is no UTF-8 is refused', (t) => {
  const broken = Uint8Array.of(...bytes('{"'), 0xff, ...bytes('":{}}'));
  t.throws(() => parseHeader(broken, 0), { instanceOf, code: 'bad_checkpoint' });
});

test('S16: a header longer than its file or than 100 MB is refused before it is read', (t) => {
  const first = (length: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(length).buffer);
  const refuses = (length: bigint, fileBytes: number): void => {
    const expected = { instanceOf, code: 'bad_checkpoint', message: /header of at most/ };
    t.throws(() => headerLength(first(length), fileBytes), expected);
  };
  refuses(1n, 8);
  refuses(2n ** 63n, 100);
  refuses(2n ** 64n - 1n, 2 ** 40);
  refuses(100_000_001n, 2 ** 40);
  t.is(headerLength(first(100_000_000n), 2 ** 40), 100_000_000);
  t.throws(() => headerLength(new Uint8Array(7), 7), { instanceOf, code: 'bad_checkpoint' });
});

test('S16: empty tensors may lie between others', (t) => {
  const header = parse({ a: f32([1], [0, 4]), b: f32([0], [4, 4]), c: f32([1], [4, 8]) }, 8);
  t.is(header.tensors.size, 3);
  t.is(parse({}, 0).tensors.size, 0);
});

test('names are scanned where they are names, not in strings or lists', (t) => {
  t.is(scanNames('{"a":["a","a"],"b":{"a":1},"c":"\\"a\\":"}'), undefined);
  t.is(scanNames('[{"a":1},{"a":1}]'), undefined);
  t.is(scanNames('{"x":{"b" : 1,"b":2}}'), 'b');
});

test('strings of any length are scanned: metadata of many keys is one', (t) => {
  const long = 'x"\\'.repeat(7_000_000);
  t.is(scanNames(JSON.stringify({ a: long, b: [long] })), undefined);
  t.is(scanNames(`{"a":${JSON.stringify(long)},"a" :1}`), 'a');
});
