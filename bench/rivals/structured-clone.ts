import { Worker, type MessagePort } from 'node:worker_threads';
import { digest } from '../arrays.js';
import type { Variant } from '../harness.js';
import { cut, type StepProblem } from '../step/problem.js';
import { plainStep } from './plain-step.js';

/**
 * What people write without shared memory: each worker posts its gradients, the main thread sums
 * them, updates, and posts the weights back. Every `postMessage` clones all tensors.
 */

/** What a worker is given. */
export interface CloneStart {
  readonly sizes: readonly number[];
  readonly gradient: Float32Array;
}

type ToWorker =
  | { readonly type: 'steps'; readonly times: number }
  | { readonly type: 'weights'; readonly weights: readonly Float32Array[] }
  | { readonly type: 'answer' };

type FromWorker =
  | { readonly type: 'gradients'; readonly gradients: readonly Float32Array[] }
  | { readonly type: 'done' }
  | { readonly type: 'answer'; readonly digest: string };

/** Starts the workers. */
export function cloneSteps(problem: StepProblem): {
  readonly variant: Variant;
  close(): Promise<void>;
} {
  const server = new CloneServer(problem);
  return {
    variant: {
      run: (times) => server.steps(times),
      check: { answer: () => server.answer() },
    },
    close: () => server.close(),
  };
}

/** The main thread's side: owns weights and momentum. */
class CloneServer {
  readonly #workers: readonly Worker[];
  readonly #weights: readonly Float32Array[];
  readonly #momentum: readonly Float32Array[];
  /** This step's gradients by rank. */
  #arrived = new Map<number, readonly Float32Array[]>();
  #answers: string[] = [];
  #replies = 0;
  #pending: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;

  constructor({ sizes, gradients }: StepProblem) {
    this.#weights = sizes.map((size) => new Float32Array(size));
    this.#momentum = sizes.map((size) => new Float32Array(size));
    const entry = new URL('./structured-clone-thread.js', import.meta.url);
    this.#workers = gradients.map((gradient, rank) => {
      const start: CloneStart = { sizes, gradient };
      const worker = new Worker(entry, { workerData: start });
      worker.on('message', (message: FromWorker) => this.#receive(rank, message));
      worker.on('error', (error: unknown) => this.#pending?.reject(error as Error));
      return worker;
    });
  }

  steps(times: number): Promise<void> {
    return this.#ask({ type: 'steps', times });
  }

  async answer(): Promise<string> {
    await this.#ask({ type: 'answer' });
    return this.#answers.join(' ');
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** Sends a request to all workers and resolves when all have replied. */
  #ask(request: ToWorker): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#replies = 0;
      this.#post(request);
    });
  }

  #post(message: ToWorker): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }

  #receive(rank: number, message: FromWorker): void {
    if (message.type === 'gradients') {
      this.#arrived.set(rank, message.gradients);
      if (this.#arrived.size === this.#workers.length) this.#step();
      return;
    }
    if (message.type === 'answer') this.#answers[rank] = message.digest;
    this.#replies += 1;
    if (this.#replies === this.#workers.length) this.#pending?.resolve();
  }

  #step(): void {
    const inputs = this.#workers.map((_, rank) => this.#arrived.get(rank)!);
    this.#weights.forEach((weight, tensor) => {
      const values = inputs.map((gradients) => gradients[tensor]!);
      plainStep(values, weight, this.#momentum[tensor]!, { begin: 0, end: weight.length });
    });
    this.#arrived = new Map();
    this.#post({ type: 'weights', weights: this.#weights });
  }
}

/** A worker: owns one device's gradients. */
export function runCloneWorker({ sizes, gradient }: CloneStart, port: MessagePort): void {
  // Copies of its own: an array on a SharedArrayBuffer would not be cloned.
  const gradients = cut(gradient, sizes).map((part) => Float32Array.from(part));
  let weights: readonly Float32Array[] = [];
  let left = 0;
  const tell = (message: FromWorker): void => port.postMessage(message);
  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'steps':
        left = message.times;
        return tell({ type: 'gradients', gradients });
      case 'weights':
        weights = message.weights;
        left -= 1;
        return tell(left > 0 ? { type: 'gradients', gradients } : { type: 'done' });
      case 'answer':
        return tell({ type: 'answer', digest: digest(weights) });
    }
  });
}
