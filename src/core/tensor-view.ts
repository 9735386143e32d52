import type { Elements } from './device-array.js';
import type { NumberData } from './dtypes.js';
import { KVStoreError } from './errors.js';
import { array, arrayOf, Tensor, type TensorHandle } from './tensor.js';

/**
 * A read-only tensor on the stored bytes of one version of a key: what `pull(key, { view: true })`
 * gives. Nothing is copied; the version is not written until the view is released, and later ones go
 * to another buffer. In-place methods throw `bad_argument`, and after `release` so does whatever reads
 * elements. `data` is the stored memory itself: writing to it changes what everybody pulls.
 */
export class TensorView extends Tensor {
  /** Updates of the key that are in this version. */
  readonly version: number;
  readonly #elements: Tensor;
  #release: (() => void) | undefined;

  static {
    // For all views at once: an accessor made for each at its release would cost a microsecond.
    Object.defineProperty(TensorView.prototype, 'data', {
      get(this: TensorView): NumberData {
        return this.elements().data;
      },
    });
  }

  /** `release` is called once, when the view is. */
  constructor(handle: TensorHandle, version: number, release: () => void) {
    const elements = handle instanceof Tensor ? (handle as Tensor) : Tensor.fromHandle(handle);
    super(elements); // Its `data` is the accessor.
    this.#elements = elements;
    this.version = version;
    this.#release = release;
  }

  get isReleased(): boolean {
    return this.#release === undefined;
  }

  /** Lets the store write the memory again. May be called again. */
  release(): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    release();
  }

  /** `using view = await kv.pull(key, { view: true })` releases at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * The elements as a tensor to read from, whatever becomes of the view meanwhile. Throws
   * `bad_argument` once it is released.
   */
  elements(): Tensor {
    if (this.isReleased)
      throw this.#error(
        'expected a view that is held, but it was released, by release() or close()',
      );
    return this.#elements;
  }

  override [array](): Elements {
    return arrayOf(this.elements());
  }

  /** Throws `bad_argument`: another thread would not be told of the release. */
  override handle(): never {
    throw this.#error(
      'has no handle, for it is pinned for its own thread: copy it with to(device)',
    );
  }

  /** Throws `bad_argument`: a view is read-only. */
  override add_(_x: unknown): never {
    throw this.#readOnly('add_');
  }

  /** Throws `bad_argument`: a view is read-only. */
  override mul_(_x: unknown): never {
    throw this.#readOnly('mul_');
  }

  /** Throws `bad_argument`: a view is read-only. */
  override fill(_x: unknown): never {
    throw this.#readOnly('fill');
  }

  /** Throws `bad_argument`: a view is read-only. */
  override copyFrom(_source: unknown): never {
    throw this.#readOnly('copyFrom');
  }

  override toString(): string {
    return this.isReleased ? `<TensorView of version ${this.version}, released>` : super.toString();
  }

  #readOnly(method: string): KVStoreError {
    return this.#error(`is read-only: ${method} expected another tensor`);
  }

  #error(what: string): KVStoreError {
    return new KVStoreError('bad_argument', `a view of version ${this.version} ${what}`);
  }
}
