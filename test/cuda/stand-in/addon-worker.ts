// Threads of addon.test.ts.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { read, standIn, sum } from './support.js';

interface Task {
  readonly task: 'double' | 'flood';
  readonly id: number;
  readonly value: number;
  readonly end: 'terminate' | 'exit' | 'throw';
}

const cuda = standIn();
const { task, id, value, end } = workerData as Task;
if (parentPort === null) throw new Error('this is a worker');

if (task === 'double') {
  cuda.retain(id);
  parentPort.postMessage(id);
  await once(parentPort, 'message');
  sum(cuda, 0, 1000, [id, id], id);
  parentPort.postMessage(read(cuda, id, 1)[0]);
} else {
  const own = cuda.allocate(0, 1 << 20);
  const out = new Float32Array(1 << 18);
  for (let i = 0; i < 20; i++) {
    cuda.upload(new Float32Array(1 << 18).fill(i < 19 ? -1 : value), own, 0);
    sum(cuda, 0, 1 << 18, [own], id);
    cuda.downloadAsync(id, 0, out, () => undefined);
    cuda.whenReady(own, () => undefined);
  }
  parentPort.postMessage('in flight');
  if (end === 'exit') process.exit();
  if (end === 'throw') throw new Error('a thread that fails');
  await once(parentPort, 'message');
}
