import { showDevice } from '../src/core/devices.js';
import { isRowSparse, type WireTensor } from '../src/core/protocol.js';
import { arrayOf, type TensorHandle } from '../src/core/tensor.js';
import type { PushPart } from './entry.js';
import type { UpdateRule } from './update-rule.js';

/** What a push keeps of its values for one key, and what is in force for them. */
export function pushedValues(
  tensors: readonly WireTensor[],
  { rule, compression }: Pick<UpdateRule, 'rule' | 'compression'>,
): Omit<PushPart, 'kind' | 'ticket'> {
  const sparse = tensors.filter((each) => isRowSparse(each));
  const dense = tensors.filter((each): each is TensorHandle => !isRowSparse(each));
  const rows = sparse.map(({ indices, rows: held }) => ({ ids: indices, rows: arrayOf(held) }));
  return {
    values: dense.map(arrayOf),
    ...(rows.length === 0 ? {} : { rows }),
    devices: compression.rule === undefined ? [] : dense.map((each) => showDevice(each.device)),
    compression: compression.rule,
    rule,
  };
}
