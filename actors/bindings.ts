import {
  isRowSparse,
  type FromCoordinator,
  type Request,
  type ToCoordinator,
  type WireGroup,
  type WireTensor,
} from '../src/core/protocol.js';
import { adopted, DeviceArray } from '../src/core/device-array.js';
import { arrayOf, type TensorHandle } from '../src/core/tensor.js';

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
  | { readonly type: 'unbind'; readonly numbers: readonly number[] }
  /** The device holds the fresh tensors that came with this answer. */
  | { readonly type: 'taken'; readonly id: number };

type Done = FromCoordinator & { readonly type: 'done' };
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
  /** Answers whose fresh tensors are on CUDA devices, until the device holds them. */
  readonly #underway = new Map<number, readonly WireTensor[]>();

  /** An answer is about to be posted: what it brings lives until it has arrived. */
  keep(message: FromCoordinator): void {
    const fresh = message.type === 'done' ? message.fresh : undefined;
    if (fresh?.some(isOnCuda)) this.#underway.set((message as Done).id, fresh);
  }

  /** The messages of a batch as the device made them. */
  decode(batch: readonly BoundMessage[]): ToCoordinator[] {
    const messages: ToCoordinator[] = [];
    for (const item of batch) {
      if (item.type === 'message') messages.push(this.#decodeOne(item.message, item.groups));
      else if (item.type === 'taken') this.#taken(item.id);
      else if (item.type === 'unbind') for (const each of item.numbers) this.#unbind(each);
      else for (const each of item.bindings) this.#tensors.set(each.number, received(each.tensor));
    }
    return messages;
  }

  /** The tensor behind a number; undefined where the news of it has not come. */
  find(number: number): WireTensor | undefined {
    return this.#tensors.get(number);
  }

  // The collector would take its time, and to it memory of a device weighs nothing.
  #unbind(number: number): void {
    letGo(this.#tensors.get(number));
    this.#tensors.delete(number);
  }

  #taken(id: number): void {
    this.#underway.get(id)?.forEach(letGo);
    this.#underway.delete(id);
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

function plainDense(tensor: TensorHandle): TensorHandle {
  const { shape, dtype, device } = tensor;
  return { shape, dtype, device, data: arrayOf(tensor) };
}

/** Ends this thread's hold on elements on a CUDA device that it needs no more. */
function letGo(tensor: WireTensor | undefined): void {
  if (tensor === undefined) return;
  const { data } = isRowSparse(tensor) ? tensor.rows : tensor;
  if (data instanceof DeviceArray) data.free();
}

/** Whether the elements of a tensor are on a CUDA device. */
export function isOnCuda(tensor: WireTensor): boolean {
  return (isRowSparse(tensor) ? tensor.rows : tensor).device.type === 'cuda';
}

/** A tensor that has come through a port. Its elements on a CUDA device are held by this thread now. */
export function received<Wire extends WireTensor>(tensor: Wire): Wire {
  if (!isOnCuda(tensor)) return tensor;
  const dense = isRowSparse(tensor) ? tensor.rows : (tensor as TensorHandle);
  const held = { ...dense, data: adopted(dense.data) };
  return (isRowSparse(tensor) ? { ...tensor, rows: held } : held) as Wire;
}
