import { isPlainObject } from './core/options.js';
import { Tensor, type TensorHandle } from './core/tensor.js';

/** Marks a tensor in a value that crosses threads; a name that no user's object has. */
const mark = 'tensorkv:tensor';

/** `value` with every tensor in it, in arrays and plain objects, as a marked handle. */
export function packTensors(value: unknown): unknown {
  if (value instanceof Tensor) return { [mark]: value.handle() };
  return mapPlain(value, packTensors);
}

/** The inverse of `packTensors`: both sides then share the tensors' elements. */
export function unpackTensors(value: unknown): unknown {
  const handle = (value as { readonly [mark]?: TensorHandle } | null | undefined)?.[mark];
  if (handle !== undefined) return Tensor.fromHandle(handle);
  return mapPlain(value, unpackTensors);
}

function mapPlain(value: unknown, map: (inner: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner)]));
}
