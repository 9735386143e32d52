import { describe, fromFailure, KVStoreError, toFailure, type Failure } from './errors.js';

/**
 * Anything thrown, as it crosses a thread: `postMessage` drops an error's class and its own properties,
 * and what is no error goes as it is.
 */
export type Thrown =
  | { readonly failure: Failure; readonly stack: string | undefined }
  | {
      readonly error: Error;
      readonly name: string;
      readonly own: object;
      /** What `cause` and `errors` hold, if the error has them. */
      readonly inner: Readonly<Record<string, Thrown | readonly Thrown[]>>;
    }
  | { readonly value: unknown };

/** Causes of causes, as far as they are followed: they may go in a circle. */
const deepest = 8;

/** `thrown` on its way to another thread; what cannot be copied goes as words. */
export function packThrown(thrown: unknown, depth = 0): Thrown {
  if (thrown instanceof KVStoreError) return { failure: toFailure(thrown), stack: thrown.stack };
  if (!(thrown instanceof Error)) return { value: canCross(thrown) ? thrown : describe(thrown) };
  const { message, stack, cause, name, ...own } = thrown as Error & { errors?: unknown };
  const error = new Error(message);
  error.stack = stack ?? '';
  const inner: Record<string, Thrown | Thrown[]> = {};
  const pack = (each: unknown): Thrown => packThrown(each, depth + 1);
  if (depth < deepest && cause !== undefined) inner['cause'] = pack(cause);
  const { errors } = thrown as { errors?: unknown }; // Of an AggregateError.
  if (depth < deepest && Array.isArray(errors)) inner['errors'] = errors.map(pack);
  const kept = Object.entries(own).filter(([key, value]) => !(key in inner) && canCross(value));
  return { error, name, own: Object.fromEntries(kept), inner };
}

/** What was thrown, with the stack, the name and the properties that it had there. */
export function unpackThrown(thrown: Thrown): unknown {
  if ('value' in thrown) return thrown.value;
  if ('failure' in thrown) {
    const error = fromFailure(thrown.failure);
    if (thrown.stack !== undefined) error.stack = thrown.stack;
    return error;
  }
  const { error, name, own, inner } = thrown;
  Object.assign(error, own);
  const hidden: [string, unknown][] = Object.entries(inner).map(([key, of]) => [
    key,
    Array.isArray(of) ? of.map(unpackThrown) : unpackThrown(of as Thrown),
  ]);
  if (error.name !== name) hidden.push(['name', name]);
  for (const [key, value] of hidden) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true });
  }
  return error;
}

function canCross(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
