import {
  isRowSparse,
  type Request,
  type ToCoordinator,
  type WireGroup,
  type WireTensor,
} from '../src/core/protocol.js';
import type { TensorHandle } from '../src/core/tensor.js';

/**
 * Cloning a view of shared memory costs microseconds, so a tensor crosses a port once: its first use
 * binds it to a number, and later uses send the number. A binding ends when the device's tensor is
 * collected, so the coordinator holds no memory that its device has let go.
 */

/** A tensor as it crosses a port: bound to a number here, or before. */
type Bound = number | { readonly bind: number; readonly tensor: WireTensor };

interface BoundGroup {
  readonly key: WireGroup['key'];
  readonly tensors: readonly Bound[];
}

/** A message with tensors replaced by their bindings, or the end of some bindings. */
export type BoundMessage =
  | { readonly type: 'message'; readonly message: ToCoordinator; readonly groups: BoundGroups }
  | { readonly type: 'unbind'; readonly numbers: readonly number[] };

type BoundGroups = Readonly<Partial<Record<GroupField, readonly BoundGroup[]>>>;
type GroupField = 'values' | 'push' | 'pull';

const fields: readonly GroupField[] = ['values', 'push', 'pull'];

/** The device's side: knows which of its tensors are bound. */
export class Binder {
  readonly #numbers = new WeakMap<WireTensor, number>();
  #collected: number[] = [];
  readonly #registry = new FinalizationRegistry<number>((bound) => this.#collected.push(bound));
  #last = 0;

  /** What to post for `batch`: the ends of bindings first, then each message. */
  encode(batch: readonly ToCoordinator[]): BoundMessage[] {
    const encoded = batch.map((message) => this.#encodeOne(message));
    if (this.#collected.length === 0) return encoded;
    const numbers = this.#collected;
    this.#collected = [];
    return [{ type: 'unbind', numbers }, ...encoded];
  }

  #encodeOne(message: ToCoordinator): BoundMessage {
    const groups: Partial<Record<GroupField, readonly BoundGroup[]>> = {};
    const rest: Record<string, unknown> = { ...message };
    for (const field of fields) {
      const list = rest[field] as readonly WireGroup[] | undefined;
      if (list === undefined) continue;
      groups[field] = list.map(({ key, tensors }) => ({
        key,
        tensors: tensors.map((tensor) => this.#bind(tensor)),
      }));
      delete rest[field];
    }
    return { type: 'message', message: rest as unknown as ToCoordinator, groups };
  }

  #bind(tensor: WireTensor): Bound {
    const known = this.#numbers.get(tensor);
    if (known !== undefined) return known;
    const bind = ++this.#last;
    this.#numbers.set(tensor, bind);
    this.#registry.register(tensor, bind);
    return { bind, tensor: plain(tensor) };
  }
}

/** The coordinator's side of one device: the tensors behind its numbers. */
export class BindingTable {
  readonly #tensors = new Map<number, WireTensor>();

  /** The messages of a batch as the device made them. */
  decode(batch: readonly BoundMessage[]): ToCoordinator[] {
    const messages: ToCoordinator[] = [];
    for (const item of batch) {
      if (item.type === 'message') messages.push(this.#decodeOne(item.message, item.groups));
      else for (const bound of item.numbers) this.#tensors.delete(bound);
    }
    return messages;
  }

  #decodeOne(message: ToCoordinator, groups: BoundGroups): ToCoordinator {
    const decoded = Object.entries(groups).map(([field, list]) => [
      field,
      list.map(({ key, tensors }) => ({ key, tensors: tensors.map((each) => this.#find(each)) })),
    ]);
    return { ...(message as Request), ...(Object.fromEntries(decoded) as object) } as ToCoordinator;
  }

  #find(bound: Bound): WireTensor {
    if (typeof bound === 'number') return this.#tensors.get(bound)!;
    this.#tensors.set(bound.bind, bound.tensor);
    return bound.tensor;
  }
}

/** A tensor without its methods, as `postMessage` can carry it. */
function plain(tensor: WireTensor): WireTensor {
  if (!isRowSparse(tensor)) return plainDense(tensor);
  return { shape: tensor.shape, indices: tensor.indices, rows: plainDense(tensor.rows) };
}

function plainDense({ shape, dtype, device, data }: TensorHandle): TensorHandle {
  return { shape, dtype, device, data };
}
