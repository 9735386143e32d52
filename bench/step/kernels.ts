import { availableParallelism } from 'node:os';
import { kernels } from '../../native/kernels.js';
import { awaitCommand, Commands, isLastDone, type CommandWords } from '../commands.js';
import type { Variant } from '../harness.js';
import { CommandedWorkers } from '../workers.js';
import {
  momentumStep,
  stepAnswer,
  stepState,
  type StepProblem,
  type StepState,
} from './problem.js';

/**
 * The step without a store: the native kernels on plain arrays, tensors end to end, chunk by chunk,
 * so that a chunk of results is still in cache when it is copied to the devices. Every byte moves
 * once, and nobody waits for anybody. This is what a store of these kernels can come down to.
 */

// 128 KiB of results stay in a core's L2; the kernels' calls are then a few percent of the time.
const chunkElements = 32 * 1024;

interface Chunk {
  readonly inputs: readonly Float32Array[];
  readonly stored: Float32Array;
  readonly momentum: Float32Array;
  readonly outs: readonly Float32Array[];
}

/** What the helper thread is given. */
export interface KernelStart {
  readonly words: CommandWords;
  readonly gradients: readonly Float32Array[];
  readonly state: StepState;
  /** All threads, and which of them this is. */
  readonly threads: number;
  readonly thread: number;
}

/** On as many threads as cores, each with its part of the chunks. They meet only at the end of a sample. */
export function kernelsOnAllCores(problem: StepProblem): {
  readonly variant: Variant;
  close(): Promise<void>;
} {
  const state = stepState(problem);
  const { gradients } = problem;
  const threads = availableParallelism();
  const chunks = chunksOf(gradients, state).filter((_, index) => index % threads === 0);
  const commands = new Commands();
  const starts = Array.from({ length: threads - 1 }, (_, index): KernelStart => {
    return { words: commands.words, gradients, state, threads, thread: index + 1 };
  });
  const entry = new URL('./kernels-thread.js', import.meta.url);
  const helpers = new CommandedWorkers(entry, commands, starts);
  const variant: Variant = {
    run: async (times) => {
      const helped = threads === 1 ? undefined : commands.start(times);
      for (let i = 0; i < times; i++) step(chunks);
      await helped;
    },
    check: { answer: () => stepAnswer(state.outs.map((out) => [out])) },
  };
  return { variant, close: () => helpers.close() };
}

/** A helper thread: its part of the chunks, on command. `tell` answers the main thread. */
export function runKernelThread(
  { words, gradients, state, threads, thread }: KernelStart,
  tell: () => void,
): void {
  const chunks = chunksOf(gradients, state).filter((_, index) => index % threads === thread);
  for (let seen = 0; ; seen++) {
    const times = awaitCommand(words, seen);
    if (times === 0) return;
    for (let i = 0; i < times; i++) step(chunks);
    if (isLastDone(words, threads - 1)) tell();
  }
}

function chunksOf(gradients: readonly Float32Array[], state: StepState): Chunk[] {
  const { length } = state.stored;
  return Array.from({ length: Math.ceil(length / chunkElements) }, (_, index) => {
    const begin = index * chunkElements;
    const part = (array: Float32Array): Float32Array =>
      array.subarray(begin, Math.min(begin + chunkElements, length));
    return {
      inputs: gradients.map(part),
      stored: part(state.stored),
      momentum: part(state.momentum),
      outs: state.outs.map(part),
    };
  });
}

function step(chunks: readonly Chunk[]): void {
  for (const { inputs, stored, momentum, outs } of chunks) {
    kernels.step('sgdMomentum', momentumStep(inputs, stored, momentum));
    kernels.copy(stored, outs);
  }
}
