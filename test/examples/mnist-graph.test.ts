import test from 'ava';
import * as ort from 'onnxruntime-node';
import { KVStoreError, tensor, zeros, type Tensor } from 'tensorkv';
import { gradientGraph, gradientOf } from '../../examples/mnist/graph.js';
import { initialise, parameterKeys, parameterShapes } from '../../examples/mnist/network.js';
import { uniforms } from '../../examples/mnist/random.js';
import { nativeMissingReason } from '../../native/kernels.js';
import { accuracyOf, createTrainingSession } from '../../examples/mnist/session.js';

const sizes = { inputs: 6, hidden: 5, classes: 3 };
const batch = 4;
const rows = [2, 0, 6, 2];

/** A small data set on shared memory, and parameters for it. */
function smallCase(seed: number) {
  const next = uniforms(seed);
  const count = 7;
  const images = new Uint8Array(new SharedArrayBuffer(count * sizes.inputs));
  const labels = new Uint8Array(new SharedArrayBuffer(count));
  images.forEach((_, i) => (images[i] = 256 * next()));
  labels.forEach((_, i) => (labels[i] = sizes.classes * next()));
  const shapes = parameterShapes(sizes);
  const weights = parameterKeys.map((key) => zeros(shapes[key]));
  initialise(weights, sizes, seed);
  for (const bias of [weights[1]!, weights[3]!]) {
    bias.data.forEach((_, i) => (bias.data[i] = next() - 0.5));
  }
  const gradients = parameterKeys.map((key) => zeros(shapes[key]));
  return { training: { count, images, labels }, weights, gradients };
}

type SmallCase = ReturnType<typeof smallCase>;

/** The summed loss in plain float64 arithmetic: an image at a time, no matrices. */
function plainLoss({ images, labels }: SmallCase['training'], weights: readonly number[][]) {
  const [hiddenWeight, hiddenBias, outputWeight, outputBias] = weights as [
    number[],
    number[],
    number[],
    number[],
  ];
  let loss = 0;
  for (const row of rows) {
    const hidden = hiddenBias.map((bias, j) => {
      let sum = bias;
      for (let i = 0; i < sizes.inputs; i++) {
        sum += (images[row * sizes.inputs + i]! / 255) * hiddenWeight[i * sizes.hidden + j]!;
      }
      return Math.max(sum, 0);
    });
    const scores = outputBias.map((bias, k) =>
      hidden.reduce((sum, x, j) => sum + x * outputWeight[j * sizes.classes + k]!, bias),
    );
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    loss += Math.log(total) - scores[labels[row]!]!;
  }
  return loss;
}

/** The slope of `plainLoss` along one element of one parameter, by a central difference. */
function slope(training: SmallCase['training'], weights: readonly Tensor[], at: [number, number]) {
  const step = 1e-5;
  const [lower, upper] = [-step, step].map((delta) => {
    const moved = weights.map(({ data }) => [...data]);
    moved[at[0]]![at[1]]! += delta;
    return plainLoss(training, moved);
  });
  return (upper! - lower!) / (2 * step);
}

for (const seed of [1, 2, 3]) {
  test(`the graph's loss and gradients agree with numerical differences, seed ${seed}`, async (t) => {
    const { training, weights, gradients } = smallCase(seed);
    const session = await createTrainingSession({ sizes, batch, training, weights, gradients });
    session.rows.set(rows);
    const loss = await session.step();

    const expected = plainLoss(
      training,
      weights.map(({ data }) => [...data]),
    );
    t.true(Math.abs(loss - expected) < 1e-5, `loss ${loss}, expected ${expected}`);
    gradients.forEach(({ data }, parameter) =>
      data.forEach((gradient, i) => {
        const difference = gradient - slope(training, weights, [parameter, i]);
        t.true(Math.abs(difference) < 1e-5, `${parameterKeys[parameter]} [${i}]: ${difference}`);
      }),
    );
  });
}

test('a step writes gradients into the tensors given, and reads the weights from them', async (t) => {
  const { training, weights, gradients } = smallCase(4);
  const session = await createTrainingSession({ sizes, batch, training, weights, gradients });
  session.rows.set(rows);
  t.is(session.isInPlace, nativeMissingReason === undefined);
  for (let step = 0; step < 2; step++) {
    await session.step();
    const expected = await separateOutputs({ training, weights, gradients });
    gradients.forEach(({ data }, i) => t.deepEqual([...data], [...expected[i]!]));
    weights.forEach((weight, i) => weight.add_(gradients[i]!, -0.1));
  }
});

test('without the addon a step gives the same gradients by copying', async (t) => {
  const viewed = smallCase(5);
  const copied = smallCase(5);
  const inPlace = await createTrainingSession({ sizes, batch, ...viewed });
  const copying = await createTrainingSession({ sizes, batch, ...copied }, () => {
    throw new KVStoreError('native_unavailable', 'no addon');
  });
  t.false(copying.isInPlace);
  for (let step = 0; step < 2; step++) {
    inPlace.rows.set(rows);
    copying.rows.set(rows);
    t.is(await copying.step(), await inPlace.step());
    for (const { weights, gradients } of [viewed, copied]) {
      weights.forEach((weight, i) => weight.add_(gradients[i]!, -0.1));
    }
    viewed.weights.forEach(({ data }, i) => t.deepEqual(copied.weights[i]!.data, data));
  }
});

test('accuracy is the share of images whose highest score is their label', async (t) => {
  // One pixel per class: the network hands the pixels through.
  const square = { inputs: 3, hidden: 3, classes: 3 };
  const one = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const weights = [
    tensor(one, { shape: [3, 3] }),
    zeros(3),
    tensor(one, { shape: [3, 3] }),
    zeros(3),
  ];
  const images = new Uint8Array(new SharedArrayBuffer(12));
  images.set([9, 0, 0, 0, 9, 0, 0, 0, 9, 5, 9, 0]);
  const labels = new Uint8Array(new SharedArrayBuffer(4));
  labels.set([0, 1, 2, 0]);
  t.is(await accuracyOf(square, weights, { count: 4, images, labels }), 0.75);
});

/** Gradients in arrays that onnxruntime makes itself. */
async function separateOutputs({ training, weights }: SmallCase) {
  const graph = gradientGraph({ sizes, images: training.count, batch });
  const session = await ort.InferenceSession.create(graph);
  const parameters = parameterKeys.map((key, i) => [
    key,
    new ort.Tensor('float32', Float32Array.from(weights[i]!.data), weights[i]!.shape),
  ]);
  const outputs = await session.run({
    images: new ort.Tensor('uint8', training.images.slice(), [training.count, sizes.inputs]),
    labels: new ort.Tensor('uint8', training.labels.slice(), [training.count]),
    rows: new ort.Tensor('int32', Int32Array.from(rows), [batch]),
    ...(Object.fromEntries(parameters) as Record<string, ort.Tensor>),
  });
  return parameterKeys.map((key) => outputs[gradientOf(key)]!.data as Float32Array);
}
