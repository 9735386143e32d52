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
 * binds it to a number, which stands for it from then on. A binding ends when the device's tensor is
 * collected, so the coordinator holds no memory that its device has let go.
 */

interface BoundGroup {
  readonly key: WireGroup['key'];
  /** The numbers of the tensors. */
  readonly tensors: readonly number[];
}

/** A tensor and the number that stands for it from now on. */
interface Binding {
  readonly number: number;
  readonly tensor: WireTensor;
}

/** A message with tensors replaced by their numbers, the beginning of some bindings, or their end. */
export type BoundMessage =
  | { readonly type: 'message'; readonly message: ToCoordinator; readonly groups: BoundGroups }
  | { readonly type: 'bind'; readonly bindings: readonly Binding[] }
  | { readonly type: 'unbind'; readonly numbers: readonly number[] };

type BoundGroups = Readonly<Partial<Record<GroupField, readonly BoundGroup[]>>>;
type GroupField = 'values' | 'push' | 'pull';

const fields: readonly GroupField[] = ['values', 'push', 'pull'];

/** The device's side: knows which of its tensors are bound. */
export class Binder {
  readonly #numbers = new WeakMap<WireTensor, number>();
  #bound: Binding[] = [];
  #collected: number[] = [];
  /** Numbers whose end the other side has been told: they come again, so that tables stay small. */
  readonly #free: number[] = [];
  readonly #registry = new FinalizationRegistry<number>((bound) => this.#collected.push(bound));
  readonly #onBind: (number: number, tensor: WireTensor) => void;
  readonly #onUnbind: (numbers: readonly number[]) => void;
  #last = 0;

  /** `onBind` and `onUnbind` are called for each new binding, and for those that have ended. */
  constructor(
    onBind: (number: number, tensor: WireTensor) => void = () => undefined,
    onUnbind: (numbers: readonly number[]) => void = () => undefined,
  ) {
    this.#onBind = onBind;
    this.#onUnbind = onUnbind;
  }

  /** What to post for `batch`: news of bindings first, then each message. */
  encode(batch: readonly ToCoordinator[]): BoundMessage[] {
    const encoded = batch.map((message) => this.#encodeOne(message));
    return [...this.news(), ...encoded];
  }

  /** What to post so that the other side knows all bindings that were made. */
  news(): BoundMessage[] {
    const news: BoundMessage[] = [];
    if (this.#collected.length > 0) {
      news.push({ type: 'unbind', numbers: this.#collected });
      this.#onUnbind(this.#collected);
      for (const number of this.#collected) this.#free.push(number);
      this.#collected = [];
    }
    if (this.#bound.length > 0) {
      news.push({ type: 'bind', bindings: this.#bound });
      this.#bound = [];
    }
    return news;
  }

  /** The number of a tensor, which it gets now if it has none. */
  bind(tensor: WireTensor): number {
    const known = this.#numbers.get(tensor);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? ++this.#last;
    this.#numbers.set(tensor, number);
    this.#registry.register(tensor, number);
    this.#bound.push({ number, tensor: plain(tensor) });
    this.#onBind(number, tensor);
    return number;
  }

  #encodeOne(message: ToCoordinator): BoundMessage {
    const groups: Partial<Record<GroupField, readonly BoundGroup[]>> = {};
    const rest: Record<string, unknown> = { ...message };
    for (const field of fields) {
      const list = rest[field] as readonly WireGroup[] | undefined;
      if (list === undefined) continue;
      groups[field] = list.map(({ key, tensors }) => ({
        key,
        tensors: tensors.map((tensor) => this.bind(tensor)),
      }));
      delete rest[field];
    }
    return { type: 'message', message: rest as unknown as ToCoordinator, groups };
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
      else if (item.type === 'unbind') for (const each of item.numbers) this.#tensors.delete(each);
      else for (const { number, tensor } of item.bindings) this.#tensors.set(number, tensor);
    }
    return messages;
  }

  /** The tensor behind a number; undefined where the news of it has not come. */
  find(number: number): WireTensor | undefined {
    return this.#tensors.get(number);
  }

  #decodeOne(message: ToCoordinator, groups: BoundGroups): ToCoordinator {
    const decoded = Object.entries(groups).map(([field, list]) => [
      field,
      list.map(({ key, tensors }) => ({
        key,
        tensors: tensors.map((each) => this.#tensors.get(each)!),
      })),
    ]);
    return { ...(message as Request), ...(Object.fromEntries(decoded) as object) } as ToCoordinator;
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
