// @ts-check
// Four devices, each a thread with a program of its own (03-worker.js), fit one line to data that
// they share: every step each device computes the gradient of its part, and the store sums the four
// and updates the weights. The sum runs in the order of ranks, so every run gives the same bits.
//
// prints:
//   step 25: squared error of rank 0's samples was 17.875
//   step 50: squared error of rank 0's samples was 0.762
//   step 75: squared error of rank 0's samples was 0.116
//   step 100: squared error of rank 0's samples was 0.093
//   4 devices ended with the same weights: true
//   weights: 3.00, -2.00, 1.00
import { launch, tensor } from 'tensorkv';

const samples = 400;
const { inputs, targets } = makeData();

// Tensors in `args` are shared with the devices, everything else is copied.
const group = await launch(new URL('./03-worker.js', import.meta.url), {
  devices: 4,
  type: 'dist_sync',
  args: { inputs, targets, steps: 100, reportEvery: 25 },
});
try {
  for await (const event of group) {
    if (event.type === 'report') console.log(event.data);
    if (event.type === 'lost') console.log(event.error.message);
  }
  const results = /** @type {number[][]} */ (await group.done);
  const same = results.every((weights) => String(weights) === String(results[0]));
  console.log(`${results.length} devices ended with the same weights: ${same}`);
  console.log(`weights: ${results[0]?.map((weight) => weight.toFixed(2)).join(', ')}`);
} finally {
  await group.stop();
}

/** Points on y = 3 * x0 - 2 * x1 + 1, with a little noise; the same ones each time. */
function makeData() {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  };
  const rows = Array.from({ length: samples }, () => [2 * random(), 2 * random()]);
  const line = rows.map(([x0 = 0, x1 = 0]) => 3 * x0 - 2 * x1 + 1 + 0.1 * random());
  return { inputs: tensor(rows), targets: tensor(line) };
}
