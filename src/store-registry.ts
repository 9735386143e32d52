import { KVStoreError, show } from './core/errors.js';
import { isStoreType } from './core/types.js';
import { KVStoreBase } from './kv-store-base.js';

/** A class of stores; `createKVStore` says how its constructor is called. */
export type KVStoreClass = new (options: never, type: string) => KVStoreBase;

/** Classes by name, in lower case. */
const registered = new Map<string, KVStoreClass>();

const required = ['init', 'push', 'pull', 'pushpull', 'broadcast', 'close'] as const;

/**
 * From now on `createKVStore(name)`, in any case, makes a store of `storeClass`. A name that exists,
 * built in or registered before, is replaced, with a process warning `TENSORKV_STORE_REPLACED`;
 * stores already made, and `launch`, which knows only built-in types, do not change. Throws
 * `bad_argument` for a name that is no string or empty, or a class that does not extend
 * `KVStoreBase`.
 */
export function registerKVStore(name: string, storeClass: KVStoreClass): void {
  if (typeof name !== 'string' || name.trim() !== name || name === '') {
    throw new KVStoreError(
      'bad_argument',
      `registerKVStore expected a name without spaces around it, got ${show(name)}`,
    );
  }
  const prototype = (storeClass as { prototype?: unknown } | null | undefined)?.prototype;
  if (!(prototype instanceof KVStoreBase)) {
    throw new KVStoreError(
      'bad_argument',
      `registerKVStore expected a class for ${show(name)} that extends KVStoreBase, ` +
        `got ${show(storeClass)}`,
    );
  }
  const lower = name.toLowerCase();
  const before =
    registered.get(lower)?.name ?? (isStoreType(lower) ? 'a built-in type' : undefined);
  if (before !== undefined) warnReplaced(lower, before, storeClass.name);
  registered.set(lower, storeClass);
}

/** The class registered as `name`, in any case. */
export function registeredStore(name: unknown): KVStoreClass | undefined {
  return typeof name === 'string' ? registered.get(name.toLowerCase()) : undefined;
}

/**
 * A new store of a registered class, ready for use. Rejects with `bad_argument` when it lacks one of
 * the methods that every store has, and with what its constructor or `open` throws.
 */
export async function openRegistered(
  StoreClass: KVStoreClass,
  type: string,
  options: object,
): Promise<KVStoreBase> {
  const store = new StoreClass(options as never, type.toLowerCase());
  const missing = required.filter((method) => typeof store[method] !== 'function');
  if (missing.length > 0) {
    throw new KVStoreError(
      'bad_argument',
      `a store of type ${show(type)} expected to have ${missing.join(', ')}`,
    );
  }
  await store.open();
  return store;
}

/** Every registered name, oldest first. */
export function registeredNames(): readonly string[] {
  return [...registered.keys()];
}

function warnReplaced(name: string, before: string, after: string): void {
  process.emitWarning(
    `The store type ${show(name)} was ${before || 'an unnamed class'}, and is ` +
      `${after || 'an unnamed class'} from now on.`,
    { type: 'TensorKVWarning', code: 'TENSORKV_STORE_REPLACED' },
  );
}
