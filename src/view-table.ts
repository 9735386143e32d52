import type { PinnedTensor } from './core/protocol.js';
import { TensorView } from './core/tensor-view.js';

/** What the table knows of a call's views, without keeping them alive. */
interface Held {
  /** A pin for each view that has not been released. */
  readonly pins: Map<TensorViewIndex, number>;
  readonly call: WeakRef<CallViews>;
}

type TensorViewIndex = number;

/** The views of one call: collected when none of them is in use. */
class CallViews {
  readonly views = new Map<TensorViewIndex, TensorView>();

  /** Makes a view whose release calls `end`. It keeps the others of its call alive. */
  open(index: TensorViewIndex, { tensor, version }: PinnedTensor, end: () => void): TensorView {
    const view = new TensorView(tensor, version, () => {
      this.views.delete(index);
      end();
    });
    this.views.set(index, view);
    return view;
  }
}

/** The views that one caller holds. Those that it forgets are released when they are collected. */
export class ViewTable {
  readonly #release: (pins: readonly number[]) => void;
  readonly #held = new Set<Held>();
  readonly #forgotten = new FinalizationRegistry<Held>((held) => {
    this.#held.delete(held);
    this.#release([...held.pins.values()]);
  });
  #closed = false;

  /** `release` tells the coordinator which pins have ended. */
  constructor(release: (pins: readonly number[]) => void) {
    this.#release = release;
  }

  /** The views of a call that pins were made for. */
  open(pinned: readonly PinnedTensor[]): TensorView[] {
    const call = new CallViews();
    const held: Held = { pins: new Map(), call: new WeakRef(call) };
    const views = pinned.map((each, index) => {
      held.pins.set(index, each.pin);
      return call.open(index, each, () => this.#end(held, index));
    });
    if (views.length === 0) return views;
    this.#held.add(held);
    this.#forgotten.register(call, held, held);
    if (this.#closed) for (const view of views) view.release();
    return views;
  }

  /** Releases every view, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const { call } of [...this.#held]) {
      for (const view of [...(call.deref()?.views.values() ?? [])]) view.release();
    }
  }

  #end(held: Held, index: TensorViewIndex): void {
    const pin = held.pins.get(index);
    if (pin === undefined) return;
    held.pins.delete(index);
    if (held.pins.size === 0) {
      this.#held.delete(held);
      this.#forgotten.unregister(held);
    }
    this.#release([pin]);
  }
}
