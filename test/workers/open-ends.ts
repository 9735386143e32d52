import { defineWorker, ones, zeros } from '../../src/index.js';

/** Returns although calls are open and a timer would keep the thread. */
export default defineWorker<undefined, string>(async ({ kv, rank }) => {
  await kv.init(0, zeros(1));
  await kv.barrier();
  if (rank === 0) {
    kv.push(0, ones(1)).catch(() => undefined);
    kv.barrier().catch(() => undefined);
    setInterval(() => undefined, 1e6);
  }
  return `rank ${rank}`;
});
