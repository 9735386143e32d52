import { threadId } from 'node:worker_threads';
import { dieBy, type Death } from '../helpers/deaths.js';

const how = new URL(import.meta.url).searchParams.get('how') as Death;

/** Ends the coordinator's thread in the midst of an update, as the URL of this module says. */
export default (): void => {
  if (threadId === 0) throw new Error('expected the thread of a coordinator');
  dieBy(how);
};
