// Run with --expose-gc by unshared-view.test.ts, in a process of its own: memory freed too early
// would crash it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { kernels } from '../../native/kernels.js';

const { gc } = globalThis;
assert(gc !== undefined, 'run with --expose-gc');
const length = 2 ** 18;

/** Collects until `isDone`, and turns the event loop, where finalizers run; at most 100 times. */
async function collect(isDone: () => boolean = () => false): Promise<void> {
  for (let turn = 0; turn < 100 && !isDone(); turn++) {
    gc!();
    await setImmediate();
  }
}

// Not a WeakRef: looking at one keeps its target alive for the rest of the turn.
const freed = new Set<string>();
const registry = new FinalizationRegistry<string>((name) => freed.add(name));

/** A view whose shared original nobody else holds; `freed` gets the name of the memory. */
function makeView(name: string): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(4 * length)).fill(42);
  registry.register(shared.buffer, name);
  return kernels.unsharedView(shared);
}

/** Takes memory that was freed by mistake, and writes to it. */
function reuseFreedMemory(): void {
  for (let k = 0; k < 50; k++) new Int32Array(new SharedArrayBuffer(4 * length)).fill(1);
}

/** A function of its own, so that no variable holds the view afterwards. */
async function checkThatAViewKeepsMemory(): Promise<void> {
  const view = makeView('first');
  await collect();
  reuseFreedMemory();
  assert(!freed.has('first'));
  assert(view.every((x) => x === 42));
}

await checkThatAViewKeepsMemory();
process.stdout.write('kept\n');

await collect(() => freed.has('first'));
assert(freed.has('first'), 'the memory is freed with its last view');
for (let k = 0; k < 200; k++) makeView('later');
await collect(() => freed.has('later'));
process.stdout.write('freed\n');

const shared = new Int32Array(new SharedArrayBuffer(4 * length));
for (let run = 0; run < 5; run++) {
  const worker = new Worker(new URL('./unshared-view-worker.js', import.meta.url), {
    workerData: shared,
  });
  await once(worker, 'message');
  await worker.terminate();
  gc();
}
await collect();
assert(shared.every((x) => x === 5));
process.stdout.write('terminated\n');
