import { awaitCommand, Commands, isLastDone, type CommandWords } from '../commands.js';
import type { Variant } from '../harness.js';
import { cut, stepAnswer, type StepProblem, type StepState } from '../step/problem.js';
import { CommandedWorkers } from '../workers.js';
import { plainStep } from './plain-step.js';

/**
 * What people write by hand: gradients and weights in SharedArrayBuffers, one worker a device, and
 * two Atomics barriers a step. Each worker updates its share of every tensor, then copies all of the
 * new weights.
 */

/** What a worker is given. */
export interface SharedStart {
  readonly rank: number;
  readonly sizes: readonly number[];
  readonly gradients: readonly Float32Array[];
  readonly state: StepState;
  readonly words: CommandWords;
  /** Int32: workers at the barrier, barriers passed. */
  readonly barrier: Int32Array;
}

const sliceMs = 1000;

/** Starts the workers. */
export function sharedSteps({ sizes, length, devices, gradients }: StepProblem): {
  readonly variant: Variant;
  close(): Promise<void>;
} {
  const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
  const state = { stored: shared(), momentum: shared(), outs: gradients.map(shared) };
  const barrier = new Int32Array(new SharedArrayBuffer(8));
  const commands = new Commands();
  const starts = Array.from({ length: devices }, (_, rank): SharedStart => {
    return { rank, sizes, gradients, state, words: commands.words, barrier };
  });
  const entry = new URL('./shared-array-buffer-thread.js', import.meta.url);
  const workers = new CommandedWorkers(entry, commands, starts);
  return {
    variant: {
      run: (times) => commands.start(times),
      check: { answer: () => stepAnswer(state.outs.map((out) => [out])) },
    },
    close: () => workers.close(),
  };
}

/** A worker: steps on command. `tell` answers the main thread. */
export function runSharedWorker(start: SharedStart, tell: () => void): void {
  const { rank, sizes, gradients, state, words, barrier } = start;
  const devices = gradients.length;
  const parts = gradients.map((gradient) => cut(gradient, sizes));
  const inputs = sizes.map((_, tensor) => parts.map((part) => part[tensor]!));
  const stored = cut(state.stored, sizes);
  const momentum = cut(state.momentum, sizes);
  const outs = cut(state.outs[rank]!, sizes);
  const step = (): void => {
    meet(barrier, devices);
    sizes.forEach((size, tensor) => {
      const begin = Math.floor((size * rank) / devices);
      const end = Math.floor((size * (rank + 1)) / devices);
      plainStep(inputs[tensor]!, stored[tensor]!, momentum[tensor]!, { begin, end });
    });
    meet(barrier, devices);
    outs.forEach((out, tensor) => out.set(stored[tensor]!));
  };
  for (let seen = 0; ; seen++) {
    const times = awaitCommand(words, seen);
    if (times === 0) return;
    for (let i = 0; i < times; i++) step();
    if (isLastDone(words, devices)) tell();
  }
}

/** Waits until all workers are here. */
function meet(barrier: Int32Array, devices: number): void {
  const passed = Atomics.load(barrier, 1);
  if (Atomics.add(barrier, 0, 1) === devices - 1) {
    Atomics.store(barrier, 0, 0);
    Atomics.add(barrier, 1, 1);
    // At the other side: the workers below, which came before.
    Atomics.notify(barrier, 1);
    return;
  }
  // At the other side: the worker that comes last.
  while (Atomics.load(barrier, 1) === passed) Atomics.wait(barrier, 1, passed, sliceMs);
}
