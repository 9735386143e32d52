import { parentPort } from 'node:worker_threads';
import { defineWorker, ones, zeros } from '../../src/index.js';

/** Does what `args` names, to show that the group stands it. */
export default defineWorker(async ({ kv, args }) => {
  await kv.init('a', zeros(1));
  switch (args) {
    case 'posts messages of its own':
      parentPort!.postMessage('hello');
      parentPort!.postMessage(null);
      break;
    case 'does not await its last push':
      void kv.push('a', ones(1));
      return undefined;
  }
  return (await kv.pull('a')).data[0];
});
