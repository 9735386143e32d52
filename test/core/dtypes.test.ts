import test from 'ava';
import { dtypeInfo, dtypeOf, dtypes, type DType } from '../../src/core/dtypes.js';
import { full, KVStoreError, tensor, type AnyTensor } from '../../src/index.js';

const instanceOf = KVStoreError;

/** Row V2 of the features, with what one element of each dtype takes. */
const bytesOf: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int32: 4,
  int64: 8,
};

test('V2: the table has every dtype of the store once, with its size', (t) => {
  t.deepEqual(Object.fromEntries(dtypes.map(({ name, bytes }) => [name, bytes])), bytesOf);
  t.is(dtypes.length, Object.keys(bytesOf).length);
});

test('V2: the table says which dtypes are floats and how elements are held', (t) => {
  for (const { name, floating, elements } of dtypes) {
    t.is(floating, name.includes('float'), name);
    const held = name.endsWith('float16') ? 'bits' : name === 'int64' ? 'bigint' : 'number';
    t.is(elements, held, name);
  }
});

for (const { name, bytes, elements } of dtypes) {
  test(`V2: tensors of ${name} can be made, filled and told from others`, (t) => {
    const made: AnyTensor = full([3], 2, { dtype: name });
    t.is(made.dtype, name);
    t.is(made.data.BYTES_PER_ELEMENT, bytes);
    const two = name === 'int64' ? 2n : 2;
    t.deepEqual(made.toArray(), [two, two, two] as never);
    t.is(dtypeOf(made.data), elements === 'bits' ? undefined : name);
    t.is(dtypeInfo(name).name, name);
    t.is(tensor(made.data, { dtype: name }).dtype, name);
    t.deepEqual([...made.toFloat32()], [2, 2, 2]);
  });
}

for (const dtype of ['x', 'Float32', '', 'constructor', '__proto__', 4, null, {}]) {
  test(`V2: ${JSON.stringify(dtype)} is no dtype, and the message lists those that are`, (t) => {
    t.throws(() => dtypeInfo(dtype), {
      instanceOf,
      code: 'bad_argument',
      message: /^expected a dtype \(float32, float64, .*int64\), got /,
    });
  });
}

test('V2: dtypeOf knows no dtype of arrays that hold no tensor', (t) => {
  for (const data of [new Uint16Array(1), [1], 'float32', null, undefined]) {
    t.is(dtypeOf(data), undefined);
  }
});

test('V2: astype has no default', (t) => {
  t.throws(() => full(1, 1).astype(undefined as never), { instanceOf, code: 'bad_argument' });
});
