import { KVStoreError, show, toFailure, type Failure } from './core/errors.js';
import { moduleUrl } from './core/module-url.js';
import type { FromCoordinator, UpdaterSource } from './core/protocol.js';
import { Tensor } from './core/tensor.js';
import { runUpdater, type Updater } from './core/updaters.js';

/**
 * The updater functions of one caller; the coordinator knows them by number. None is forgotten:
 * pushes that wait may still need one that was replaced.
 */
export class UpdaterTable {
  readonly #updaters = new Map<number, Updater>();
  #last = 0;

  /** What to tell the coordinator of `updater`. Throws `bad_updater`. */
  add(updater: unknown): UpdaterSource {
    if (updater === undefined || updater === null) return { kind: 'assign' };
    if (typeof updater === 'function') {
      this.#last += 1;
      this.#updaters.set(this.#last, updater as Updater);
      return { kind: 'caller', handle: this.#last };
    }
    const url = moduleUrl(updater);
    if (url !== undefined) return { kind: 'module', url };
    throw new KVStoreError(
      'bad_updater',
      `setUpdater expected a function or the file: URL of a module, got ${show(updater)}`,
    );
  }

  /** Runs a function on the sum and the scratch copy that the coordinator sent. */
  run(update: FromCoordinator & { readonly type: 'update' }): Failure | undefined {
    try {
      const updater = this.#updaters.get(update.handle)!;
      const [input, stored] = [Tensor.fromHandle(update.input), Tensor.fromHandle(update.stored)];
      runUpdater(updater, update.key, input, stored);
      return undefined;
    } catch (error) {
      return toFailure(error, 'updater_error');
    }
  }
}
