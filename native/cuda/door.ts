import { errorCodes, KVStoreError, type ErrorCode } from '../../src/core/errors.js';
import { loadAddon } from '../addon.js';
import type { AddonCuda } from './addon-cuda.js';

/** The functions of the addon for CUDA, whose errors are `KVStoreError`s. */

let functions: AddonCuda | undefined;
let reason: string | undefined;

/** Why CUDA cannot be used here, one sentence; undefined where it can. Loads the driver. */
export function missingReason(): string | undefined {
  if (functions === undefined && reason === undefined) open();
  return reason;
}

/** The functions of the addon. Throws `cuda_unavailable`. */
export function cudaAddon(): AddonCuda {
  const missing = missingReason();
  if (missing === undefined) return functions!;
  throw new KVStoreError('cuda_unavailable', `CUDA expected to be available here, but: ${missing}`);
}

/** Why there is no CUDA device `index`; undefined where there is. */
export function missingDeviceReason(index: number): string | undefined {
  const missing = missingReason();
  if (missing !== undefined) return missing;
  const count = functions!.deviceCount();
  if (index < count) return functions!.missingReason(index);
  return count === 1 ? 'there is only cuda(0)' : `there are only cuda(0) to cuda(${count - 1})`;
}

/** What the addon threw, or handed to a callback, with the code that it said. */
export function cudaError(error: unknown): KVStoreError {
  const { code, message } = Object(error) as {
    readonly code?: unknown;
    readonly message?: unknown;
  };
  const known = errorCodes.includes(code as ErrorCode) ? (code as ErrorCode) : 'bad_argument';
  return new KVStoreError(known, String(message));
}

function open(): void {
  const { addon, missingReason: withoutAddon } = loadAddon();
  if (addon === undefined) {
    reason = withoutAddon;
  } else {
    reason = addon.cuda.missingReason();
    if (reason === undefined) functions = guarded(addon.cuda);
  }
}

function guarded(addon: AddonCuda): AddonCuda {
  type Any = (...args: unknown[]) => unknown;
  const entries = Object.entries(addon as unknown as Record<string, Any>);
  const wrap =
    (run: Any): Any =>
    (...args) => {
      try {
        return run(...args);
      } catch (error) {
        throw cudaError(error);
      }
    };
  return Object.fromEntries(
    entries.map(([name, run]) => [name, wrap(run)]),
  ) as unknown as AddonCuda;
}
