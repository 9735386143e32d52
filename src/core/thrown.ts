import { describe, fromFailure, KVStoreError, toFailure, type Failure } from './errors.js';

/** Anything thrown, as it crosses a thread: `postMessage` drops an error's class, and the `code` of ours. */
export type Thrown =
  | { readonly failure: Failure; readonly stack: string | undefined }
  | { readonly error: Error; readonly name: string }
  | { readonly value: unknown };

/** `thrown` on its way to another thread; what cannot be copied goes as words. */
export function packThrown(thrown: unknown): Thrown {
  if (thrown instanceof KVStoreError) return { failure: toFailure(thrown), stack: thrown.stack };
  try {
    if (!(thrown instanceof Error)) return { value: structuredClone(thrown) };
    return { error: structuredClone(thrown), name: thrown.name };
  } catch {
    return { value: describe(thrown) };
  }
}

/** What was thrown, with the stack and the name that it had there. */
export function unpackThrown(thrown: Thrown): unknown {
  if ('value' in thrown) return thrown.value;
  if ('error' in thrown) {
    const { error, name } = thrown;
    if (error.name !== name)
      Object.defineProperty(error, 'name', { value: name, configurable: true });
    return error;
  }
  const error = fromFailure(thrown.failure);
  if (thrown.stack !== undefined) error.stack = thrown.stack;
  return error;
}
