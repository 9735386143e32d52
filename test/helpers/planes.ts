import test, { type ExecutionContext } from 'ava';
import { createKVStore, type KVStore, type KVStoreOptions } from '../../src/index.js';

/** A way to run a store: the suite of one caller must hold on each. */
export interface TestPlane {
  readonly name: string;
  open(type: string, options: KVStoreOptions): Promise<KVStore>;
}

/** Every plane. One that a machine cannot have would leave itself out here. */
export const planes: readonly TestPlane[] = (['thread', 'inline'] as const).map((coordinator) => ({
  name: coordinator,
  open: (type, options) => createKVStore<KVStore>(type, { ...options, coordinator }),
}));

/** Opens a store on the plane under test; it is closed when the test ends. */
export type Open = (type?: string, options?: KVStoreOptions) => Promise<KVStore>;

type Run = (t: ExecutionContext, open: Open) => void | Promise<void>;

/** Declares a test once per plane. */
export function onEveryPlane(title: string, run: Run): void {
  for (const plane of planes) declare(plane, title, run);
}

/**
 * Declares a test on the plane without a thread: for cases of arithmetic, which there are many of, and
 * which does not hang on how messages travel.
 */
export function onInlinePlane(title: string, run: Run): void {
  declare(
    planes.find(({ name }) => name === 'inline')!,
    title,
    run,
  );
}

function declare(plane: TestPlane, title: string, run: Run): void {
  // One at a time: every store of the thread plane brings a thread.
  test.serial(`${title} (${plane.name})`, async (t) => {
    await run(t, async (type = 'local', options = {}) => {
      const kv = await plane.open(type, options);
      t.teardown(() => kv.close());
      return kv;
    });
  });
}
