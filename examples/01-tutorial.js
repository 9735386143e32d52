// @ts-check
// The whole KVStore tutorial of MXNet: init, push, sum over devices, updater, lists of keys.
// Each line shows what a pull gives; every tensor is 2x3 and all its elements are equal.
//
// prints:
//   init key 3 with twos             2
//   push eights                      8
//   push ones from 4 devices         4
//   set an updater, push nothing     4
//   push ones: 4 + 2 * 1             6
//   pull to 4 devices                6
//   push a list of keys: 1 + 2 * 1   3
//   push from 4 devices: 3 + 2 * 4   11
//   the last one, as it prints itself:
//   [[11, 11, 11],
//    [11, 11, 11]]
//   <Tensor 2x3 float32 cpu(1)>
import { cpu, createKVStore, ones, zeros } from 'tensorkv';

const shape = [2, 3];
const devices = [0, 1, 2, 3].map((index) => cpu(index));

const kv = await createKVStore('local');
try {
  // One key. The store copies the tensor; the key is an integer here, it may be a string.
  await kv.init(3, ones(shape).mul(2));
  const a = zeros(shape);
  await kv.pull(3, { out: a });
  show('init key 3 with twos', a);

  // With no updater a pushed value replaces the stored one.
  await kv.push(3, ones(shape).mul(8));
  await kv.pull(3, { out: a });
  show('push eights', a);

  // A list of values, one a device, is summed before it replaces the stored one.
  const values = devices.map((device) => ones(shape, { device }));
  await kv.push(3, values);
  await kv.pull(3, { out: a });
  show('push ones from 4 devices', a);

  // An updater says what a push does instead. Setting it changes no stored tensor.
  await kv.setUpdater((_key, input, stored) => {
    stored.add_(input, 2); // stored += 2 * input
  });
  await kv.pull(3, { out: a });
  show('set an updater, push nothing', a);

  await kv.push(3, ones(shape));
  await kv.pull(3, { out: a });
  show('push ones: 4 + 2 * 1', a);

  // One pull may fill many tensors.
  const outs = devices.map((device) => zeros(shape, { device }));
  await kv.pull(3, { out: outs });
  show('pull to 4 devices', ...outs);

  // Many keys in one call.
  const keys = [5, 7, 9];
  const onePerKey = keys.map(() => ones(shape));
  await kv.init(keys, onePerKey);
  await kv.push(keys, onePerKey);
  const three = await kv.pull(keys); // Without `out`: a fresh tensor for each key.
  show('push a list of keys: 1 + 2 * 1', ...three);

  // Many keys, and for each a list of values and a list of outs.
  const valuesPerKey = keys.map(() => values);
  await kv.push(keys, valuesPerKey);
  const outsPerKey = keys.map(() => devices.map((device) => zeros(shape, { device })));
  await kv.pull(keys, { out: outsPerKey });
  show('push from 4 devices: 3 + 2 * 4', ...outsPerKey.flat());

  console.log('the last one, as it prints itself:');
  console.log(String(outsPerKey[1]?.[1]));
} finally {
  await kv.close();
}

/**
 * Prints a label and the value that all elements of all tensors have.
 * @param {string} label
 * @param {...import('tensorkv').Tensor} tensors
 */
function show(label, ...tensors) {
  const values = new Set(tensors.flatMap((each) => [...each.data]));
  console.log(`${label.padEnd(32)} ${[...values].join(' and ')}`);
}
