import type { PinnedTensor } from './core/protocol.js';
import { TensorView } from './core/tensor-view.js';

/** A view as the table knows it, without keeping it alive. */
interface Held {
  readonly pin: number;
  readonly view: WeakRef<TensorView>;
}

/** The views that one caller holds. One that it forgets is released when it is collected. */
export class ViewTable {
  readonly #release: (pins: readonly number[]) => void;
  readonly #held = new Set<Held>();
  readonly #forgotten = new FinalizationRegistry<Held>((held) => this.#end(held));
  #closed = false;

  /** `release` tells the coordinator which pins have ended. */
  constructor(release: (pins: readonly number[]) => void) {
    this.#release = release;
  }

  /** The view that a pin was made for. */
  open({ tensor, version, pin }: PinnedTensor): TensorView {
    const end = (): void => this.#end(held);
    const view = new TensorView(tensor, version, end);
    const held: Held = { pin, view: new WeakRef(view) };
    this.#held.add(held);
    this.#forgotten.register(view, held, held);
    if (this.#closed) view.release();
    return view;
  }

  /** Releases every view, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const { view } of [...this.#held]) view.deref()?.release();
  }

  #end(held: Held): void {
    if (!this.#held.delete(held)) return;
    this.#forgotten.unregister(held);
    this.#release([held.pin]);
  }
}
