import { createHash } from 'node:crypto';
import { cuda, defineWorker, optim, zeros, type Tensor } from 'tensorkv';
import { mayRun, waitForEpoch, type Control } from './control.js';
import type { Mnist } from './data.js';
import { initialise, mnistSizes, parameterKeys, parameterShapes } from './network.js';
import { permutation } from './random.js';
import { accuracyOf, createTrainingSession, type TrainingSession } from './session.js';

/** What the main thread gives to every device of a group. */
export interface DeviceArgs {
  readonly data: Mnist;
  readonly epochs: number;
  /** Images of this device in one step. */
  readonly batch: number;
  readonly lr: number;
  readonly momentum: number;
  readonly seed: number;
  /** Whether the store keeps the weights on the first GPU; the network runs on the CPU. */
  readonly cuda: boolean;
  /** Where the main thread says when to run an epoch and when to stop. */
  readonly control: Control;
}

/** What a device tells the main thread on its way. */
export type DeviceReport = StepReport | EpochReport;

/** Rank 0, now and then: how far the epoch is. */
export interface StepReport {
  readonly kind: 'step';
  readonly epoch: number;
  /** Images of all devices so far in this epoch. */
  readonly images: number;
  /** Mean loss of an image so far in this epoch, on rank 0. */
  readonly loss: number;
}

/** Every device, after each epoch. Times are of the one monotonic clock of all threads. */
export interface EpochReport {
  readonly kind: 'epoch';
  readonly epoch: number;
  readonly images: number;
  readonly summedLoss: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Time in calls of the store, waiting for other devices included. */
  readonly storeMs: number;
}

/** What a device returns at the end. */
export interface DeviceResult {
  /** SHA-256 of the final weights, in hexadecimal digits. */
  readonly weightsHash: string;
  /** Share of the test images that the network gets right; computed by rank 0. */
  readonly accuracy?: number;
  /** Whether onnxruntime worked on the tensors themselves. */
  readonly isInPlace: boolean;
}

/** Weight decay: without it, steps this large end in weights that know the training set too well. */
const wd = 2e-4;

const reportEveryMs = 100;

/**
 * One device: computes gradients of its share of each step, pushes them and pulls the weights. Its
 * result is undefined when the main thread asked it to stop.
 */
export default defineWorker(async ({ kv, rank, numWorkers, args, report }) => {
  const { data, batch, epochs, lr, momentum, seed, control, cuda: onCuda } = args as DeviceArgs;
  const shapes = parameterShapes(mnistSizes);
  const weights = parameterKeys.map((key) => zeros(shapes[key]));
  const gradients = parameterKeys.map((key) => zeros(shapes[key]));
  // Rank 0's values count: the others get them in the broadcast.
  if (rank === 0) initialise(weights, mnistSizes, seed);
  // A key lives where its first value does.
  const initial = onCuda ? weights.map((weight) => weight.to(cuda(0))) : weights;
  await kv.broadcast(parameterKeys, initial, { out: weights });
  // Gradients are sums over images; an image weighs the same in every type of store.
  const rescaleGrad = 1 / (batch * numWorkers);
  await kv.setOptimizer(optim.sgd({ lr, momentum, wd, rescaleGrad }));

  const { training, test } = data;
  const options = { sizes: mnistSizes, batch, training, weights, gradients };
  const session = await createTrainingSession(options);
  const pushPull = () => kv.pushpull(parameterKeys, gradients, { out: weights });
  const part = { seed, images: training.count, rank, numWorkers, control, session, pushPull };
  for (let epoch = 0; epoch < epochs; epoch++) {
    if (!waitForEpoch(control, epoch)) return undefined;
    const done = await trainEpoch({ ...part, epoch, report });
    if (!done) return undefined;
    report(done);
  }

  // An asynchronous store may still get pushes of slower devices.
  await kv.barrier();
  await kv.pull(parameterKeys, { out: weights });
  const result: DeviceResult = { weightsHash: hashOf(weights), isInPlace: session.isInPlace };
  return rank === 0 ? { ...result, accuracy: await accuracyOf(mnistSizes, weights, test) } : result;
});

interface EpochTask {
  readonly epoch: number;
  readonly seed: number;
  /** Images of the data set. */
  readonly images: number;
  readonly rank: number;
  readonly numWorkers: number;
  readonly control: Control;
  readonly session: TrainingSession;
  readonly pushPull: () => Promise<unknown>;
  readonly report: (data: DeviceReport) => void;
}

/** Runs the steps of an epoch; undefined when it was stopped on the way. */
async function trainEpoch(task: EpochTask): Promise<EpochReport | undefined> {
  const { epoch, rank, numWorkers, session, pushPull, report } = task;
  const batch = session.rows.length;
  const stepImages = batch * numWorkers;
  // Images that do not fill a last step of all devices wait for another epoch's order.
  const steps = Math.floor(task.images / stepImages);
  const startMs = monotonicMs();
  // The same order on every device; each takes its slice of each step.
  const order = permutation(task.images, task.seed, epoch);
  let storeMs = 0;
  let summedLoss = 0;
  let reportedMs = startMs;
  for (let step = 0; step < steps; step++) {
    if (!mayRun(task.control, rank, epoch * steps + step)) return undefined;
    const begin = step * stepImages + rank * batch;
    session.rows.set(order.subarray(begin, begin + batch));
    summedLoss += await session.step();
    const computedMs = monotonicMs();
    await pushPull();
    const pulledMs = monotonicMs();
    storeMs += pulledMs - computedMs;
    if (rank === 0 && pulledMs - reportedMs >= reportEveryMs) {
      const loss = summedLoss / ((step + 1) * batch);
      report({ kind: 'step', epoch, images: (step + 1) * stepImages, loss });
      reportedMs = pulledMs;
    }
  }
  const endMs = monotonicMs();
  return { kind: 'epoch', epoch, images: steps * batch, summedLoss, startMs, endMs, storeMs };
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function hashOf(weights: readonly Tensor[]): string {
  const hash = createHash('sha256');
  for (const { data } of weights) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
