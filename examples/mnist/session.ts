import * as ort from 'onnxruntime-node';
import { KVStoreError, unsharedView, type Tensor } from 'tensorkv';
import type { LabelledImages } from './data.js';
import { gradientGraph, gradientOf, predictionGraph } from './graph.js';
import { parameterKeys, type Sizes } from './network.js';

/** One thread per device: the devices are the parallelism. */
const sessionOptions: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
};

/** Runs one training step at a time on a device's own tensors. */
export interface TrainingSession {
  /** Images of the next step: numbers of rows of the data set. */
  readonly rows: Int32Array;
  /** False where the addon is missing: each step then copies weights in and gradients out. */
  readonly isInPlace: boolean;
  /** Computes gradients at the weights; both are the tensors given. Returns the summed loss. */
  step(): Promise<number>;
}

/** What a training session works on. */
export interface TrainingSessionOptions {
  readonly sizes: Sizes;
  readonly batch: number;
  readonly training: LabelledImages;
  /** The parameters, in the order of `parameterKeys`; read by each step. */
  readonly weights: readonly Tensor[];
  /** Their gradients, in the same order; written by each step. */
  readonly gradients: readonly Tensor[];
}

/** Loads the gradient graph and ties its inputs and outputs to the device's tensors. */
export async function createTrainingSession(
  options: TrainingSessionOptions,
  viewOf: ViewOf = unsharedView,
): Promise<TrainingSession> {
  const { sizes, batch, training, weights, gradients } = options;
  const graph = gradientGraph({ sizes, images: training.count, batch });
  const session = await ort.InferenceSession.create(graph, sessionOptions);
  const rows = new Int32Array(batch);
  const loss = new Float32Array(1);
  const weightTwins = weights.map((weight) => twinOf(floats(weight), viewOf));
  const gradientTwins = gradients.map((gradient) => twinOf(floats(gradient), viewOf));
  const images = twinOf(training.images, viewOf);
  const feeds = {
    images: bytesTensor(images.twin, [training.count, sizes.inputs]),
    labels: bytesTensor(twinOf(training.labels, viewOf).twin, [training.count]),
    rows: new ort.Tensor('int32', rows, [batch]),
    ...named(weights, weightTwins, (key) => key),
  };
  // Outputs given beforehand: onnxruntime writes into them instead of making new ones.
  const fetches = {
    loss: new ort.Tensor('float32', loss, []),
    ...named(gradients, gradientTwins, gradientOf),
  };
  return {
    rows,
    isInPlace: images.isView,
    async step() {
      for (const { original, twin, isView } of weightTwins) if (!isView) twin.set(original);
      await session.run(feeds, fetches);
      for (const { original, twin, isView } of gradientTwins) if (!isView) original.set(twin);
      return loss[0]!;
    },
  };
}

/** The share of `test` that the network with these parameters gets right. */
export async function accuracyOf(
  sizes: Sizes,
  weights: readonly Tensor[],
  test: LabelledImages,
): Promise<number> {
  const graph = predictionGraph({ sizes, batch: test.count });
  const session = await ort.InferenceSession.create(graph, sessionOptions);
  const weightTwins = weights.map((weight) => twinOf(floats(weight)));
  const digits = new BigInt64Array(test.count);
  await session.run(
    {
      images: bytesTensor(twinOf(test.images).twin, [test.count, sizes.inputs]),
      ...named(weights, weightTwins, (key) => key),
    },
    { digits: new ort.Tensor('int64', digits, [test.count]) },
  );
  await session.release();
  const right = digits.reduce((sum, digit, i) => sum + Number(Number(digit) === test.labels[i]), 0);
  return right / test.count;
}

/** An array that onnxruntime accepts, for one on shared memory, which it refuses. */
interface Twin<T> {
  readonly original: T;
  /** The same bytes where the addon can make such a view, else a copy. */
  readonly twin: T;
  readonly isView: boolean;
}

/** `unsharedView`, or in tests what stands for a missing addon. */
type ViewOf = <T extends Float32Array | Uint8Array>(original: T) => T;

function twinOf<T extends Float32Array | Uint8Array>(
  original: T,
  viewOf: ViewOf = unsharedView,
): Twin<T> {
  try {
    return { original, twin: viewOf(original), isView: true };
  } catch (error) {
    if (!(error instanceof KVStoreError) || error.code !== 'native_unavailable') throw error;
    return { original, twin: original.slice() as T, isView: false };
  }
}

function named(
  tensors: readonly Tensor[],
  twins: readonly Twin<Float32Array>[],
  nameOf: (key: string) => string,
): Record<string, ort.Tensor> {
  return Object.fromEntries(
    parameterKeys.map((key, i) => [
      nameOf(key),
      new ort.Tensor('float32', twins[i]!.twin, tensors[i]!.shape),
    ]),
  );
}

function bytesTensor(bytes: Uint8Array, shape: readonly number[]): ort.Tensor {
  return new ort.Tensor('uint8', bytes, shape);
}

function floats(tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  throw new TypeError(`expected a float32 tensor, got ${tensor.dtype}`);
}
