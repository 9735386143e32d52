// @ts-check
// The program of one device of 03-worker-program.js, which starts four of them.
import { defineWorker, optim, zeros } from 'tensorkv';

/**
 * @typedef {object} Args
 * @property {import('tensorkv').Tensor} inputs one row a sample, two columns
 * @property {import('tensorkv').Tensor} targets one element a sample
 * @property {number} steps
 * @property {number} reportEvery
 */

export default defineWorker(async ({ kv, rank, numWorkers, device, args, report }) => {
  const { inputs, targets, steps, reportEvery } = /** @type {Args} */ (args);
  const weights = zeros([3], { device });
  const gradient = zeros([3], { device });

  // Every worker says the same; what rank 0 says counts.
  await kv.init('weights', weights);
  await kv.setOptimizer(optim.sgd({ lr: 0.2, rescaleGrad: 1 / targets.size }));

  for (let step = 1; step <= steps; step++) {
    let [loss, sum0, sum1, sumBias] = [0, 0, 0, 0];
    const [w0 = 0, w1 = 0, bias = 0] = weights.data;
    // This worker's part of the samples: every numWorkers-th.
    for (let i = rank; i < targets.size; i += numWorkers) {
      const [x0 = 0, x1 = 0] = inputs.data.subarray(2 * i, 2 * i + 2);
      const error = w0 * x0 + w1 * x1 + bias - (targets.data[i] ?? 0);
      loss += error ** 2;
      sum0 += error * x0;
      sum1 += error * x1;
      sumBias += error;
    }
    gradient.data.set([sum0, sum1, sumBias]);

    // Hands in this gradient, waits for the others', and gets the weights after the update.
    await kv.pushpull('weights', gradient, { out: weights });

    if (rank === 0 && step % reportEvery === 0) {
      report(`step ${step}: squared error of rank 0's samples was ${loss.toFixed(3)}`);
    }
  }
  return [...weights.data];
});
