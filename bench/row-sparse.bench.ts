import {
  createKVStore,
  rowSparse,
  tensor,
  zeros,
  type KVStore,
  type RowSparseTensor,
  type Tensor,
} from 'tensorkv';
import { digest, integers, showCount } from './arrays.js';
import { repeatAsync, type Bench, type Variant } from './harness.js';

const key = 'embedding';
const rowLength = 64;

/** One row in a hundred is touched, as words of a batch are. */
const stride = 100;

/** What does it save to push the rows alone that a step has touched? */
export const bench: Bench = {
  name: 'row-sparse',
  question:
    'How much faster is a push of one row in a hundred as a row-sparse tensor than the push of the ' +
    'same gradient as a whole one? SGD with momentum, lazy updates.',
  sizes: { smoke: [1000], full: [1_000_000] },
  async setup(rows) {
    const shape = [rows, rowLength];
    const indices = Array.from({ length: rows / stride }, (_, i) => i * stride);
    const touched = tensor(integers(indices.length * rowLength, 1), {
      shape: [indices.length, rowLength],
    });
    const value = rowSparse({ shape, indices, rows: touched });
    const whole = value.toDense();
    const [dense, sparse] = await Promise.all([openStore(shape), openStore(shape)]);
    return {
      about: `${showCount(indices.length)} of ${showCount(rows)} rows of ${rowLength} float32`,
      baseline: 'dense push',
      verifyTimes: 2,
      variants: {
        'dense push': pushing(dense, whole, indices),
        'row-sparse push': pushing(sparse, value, indices),
      },
      close: async () => {
        await Promise.all([dense.close(), sparse.close()]);
      },
    };
  },
};

async function openStore(shape: readonly number[]): Promise<KVStore> {
  const kv = await createKVStore();
  await kv.init(key, zeros(shape));
  await kv.setOptimizer('sgd', { lr: 0.5, momentum: 0.5 });
  return kv;
}

function pushing(kv: KVStore, value: Tensor | RowSparseTensor, rowIds: readonly number[]): Variant {
  return {
    run: repeatAsync(() => kv.push(key, value)),
    check: {
      answer: async () => digest([(await kv.pullRows(key, { rowIds })).rows.data as Float32Array]),
    },
  };
}
