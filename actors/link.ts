import type {
  FromCoordinator,
  PinnedTensor,
  Request,
  ToCoordinator,
} from '../src/core/protocol.js';
import type { TensorHandle } from '../src/core/tensor.js';
import type { Pulse } from './pulse.js';

/** The way from one device to its coordinator and back, in batches, in order. */
export interface Link {
  post(batch: readonly ToCoordinator[]): void;
  listen(onBatch: (batch: readonly FromCoordinator[]) => void): void;
  /** While on, an answer on its way keeps this thread alive. */
  keepAlive(on: boolean): void;
  close(): void;
  /**
   * Blocks this thread for at most `sliceMs`, or until something has come, which is heard before this
   * returns. Undefined where a thread must not block, or cannot.
   */
  readonly wait?: ((sliceMs: number) => void) | undefined;
  /** Where this device shows that it runs. Undefined where nobody looks. */
  readonly pulse?: Pulse | undefined;
  /** A shorter way for plain pushes and pulls, where there is one. */
  readonly direct?: Direct | undefined;
}

/** What comes with the answer of a request. */
export interface Given {
  readonly fresh?: readonly TensorHandle[];
  readonly views?: readonly PinnedTensor[];
}

/** The way past the coordinator: whoever comes last does the work. */
export interface Direct {
  /**
   * Takes requests in, up to the first that has to go to the coordinator, and returns how many; some
   * may have ended already. `blocks`: the thread waits for them, and may as well do their work.
   */
  submit(batch: readonly ToCoordinator[], blocks: boolean): number;
  /** `onEnded` is called with what `submit` took in and has ended well. */
  listen(onEnded: (ids: Float64Array, count: number) => void): void;
  /** What a pull that was taken in has got besides its outs; forgets it. */
  givenTo(id: Request['id']): Given | undefined;
}
