import { defineWorker, KVStoreError, ones, zeros, type KVStore } from '../../src/index.js';

/** How rank 0's updater module ends the coordinator, and whether the last calls block. */
export interface Bereaved {
  readonly module: string;
  readonly blocks: boolean;
}

async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    return error instanceof KVStoreError ? error.code : String(error);
  }
}

/** Calls that are open when the coordinator dies, or that follow, and how they end. */
function lastCalls(kv: KVStore, blocks: boolean): Promise<string[]> {
  const out = zeros(4);
  const calls = blocks
    ? [() => kv.pushpullSync(0, ones(4), { out }), () => kv.pullSync(0, { out })]
    : [() => kv.pushpull(0, ones(4), { out }), () => kv.barrier()];
  return Promise.all(calls.map(codeOf));
}

/** Devices whose coordinator dies in the midst of an update. Reports how their calls have ended. */
export default defineWorker<Bereaved>(async ({ kv, args, report }) => {
  await kv.init(0, ones(4));
  const view = await kv.pull(0, { view: true });
  await kv.setUpdater(args.module);
  const ends = await lastCalls(kv, args.blocks);
  report([...ends, ...(await lastCalls(kv, args.blocks)), view.data.join()]);
});
