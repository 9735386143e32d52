import { defineWorker } from '../../src/index.js';

/** Reports or returns what cannot cross a thread. */
export default defineWorker<'report' | 'result', unknown>(({ args, report }) => {
  if (args === 'report') report(() => 1);
  return () => 1;
});
