/**
 * Words that the main thread and the devices of a group share. Stopping is agreed, never forced:
 * a thread that is ended inside of onnxruntime takes the whole process along.
 *
 *     0  epochs that are open        written by the main thread
 *     1  1: the devices should stop  written by the main thread
 *     2  steps that will be run      written by rank 0, after it has seen word 1
 */
const openEpochs = 0;
const stopAsked = 1;
const stepLimit = 2;
const words = 3;

const noLimit = 2 ** 31 - 1;
const sliceMs = 1000;

/** The shared words, as the main thread makes them and the devices get them. */
export type Control = Int32Array;

/** New words: no epoch is open. */
export function createControl(): Control {
  const control = new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  control[stepLimit] = noLimit;
  return control;
}

/** Main thread: lets the devices run `epochs` epochs in all. */
export function openEpoch(control: Control, epochs: number): void {
  Atomics.store(control, openEpochs, epochs);
  // At the other side: waitForEpoch of each device.
  Atomics.notify(control, openEpochs);
}

/** Main thread: asks the devices to stop soon, all after the same step. */
export function askToStop(control: Control): void {
  Atomics.store(control, stopAsked, 1);
  // At the other side: waitForEpoch of each device.
  Atomics.notify(control, openEpochs);
}

/** Device: blocks until `epoch` is open, and returns whether it should be run. */
export function waitForEpoch(control: Control, epoch: number): boolean {
  for (;;) {
    const open = Atomics.load(control, openEpochs);
    if (open > epoch) return true;
    if (Atomics.load(control, stopAsked) === 1) return false;
    // At the other side: openEpoch and askToStop of the main thread.
    Atomics.wait(control, openEpochs, open, sliceMs);
  }
}

/**
 * Device: whether it should run its step number `step`, counted over all epochs. Rank 0 turns a wish
 * to stop into a limit one step ahead. Where devices work in step, none can begin that step before
 * rank 0 has pushed this one, so that all see the limit and nobody waits for a push that never comes.
 */
export function mayRun(control: Control, rank: number, step: number): boolean {
  if (rank === 0 && Atomics.load(control, stopAsked) === 1) {
    Atomics.compareExchange(control, stepLimit, noLimit, step + 1);
  }
  return step < Atomics.load(control, stepLimit);
}
