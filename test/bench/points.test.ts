import test from 'ava';
import { benches } from '../../bench/benches.js';
import { efforts, measure, type Bench } from '../../bench/harness.js';
import { thisCommit, thisMachine } from '../../bench/machine.js';
import { pointsOf } from '../../bench/points.js';
import { toJsonLines } from '../../bench/report.js';

const origin = { machine: thisMachine(), commit: thisCommit(), date: '2000-01-31' };
const named = (name: string): Bench => benches.find((bench) => bench.name === name)!;

test('without lists a bench has four devices, or the series that it has itself', (t) => {
  t.deepEqual(pointsOf(named('one-key'), 'full', {}), [{ devices: 4 }]);
  t.deepEqual(pointsOf(named('mnist'), 'full', {}), [{ devices: 1 }, { devices: 2 }]);
  const scaling = pointsOf(named('scaling'), 'full', {});
  t.deepEqual(scaling.at(6), { devices: 64 });
  t.deepEqual(scaling.at(-1), { devices: 4, keys: 100_000 });
});

test('lists give a point for each combination, in their order', (t) => {
  t.deepEqual(pointsOf(named('scaling'), 'full', { devices: [1, 2], bytes: [4096, 8192] }), [
    { devices: 1, bytes: 4096 },
    { devices: 1, bytes: 8192 },
    { devices: 2, bytes: 4096 },
    { devices: 2, bytes: 8192 },
  ]);
  t.deepEqual(pointsOf(named('mnist'), 'full', { devices: [3] }), [{ devices: 3 }]);
});

for (const name of ['scaling', 'mnist']) {
  const bench = named(name);
  for (const options of bench.series!.smoke.map((point) => ({ devices: 2, ...point }))) {
    const shown = JSON.stringify(options);
    test.serial(`${name} prints one line for ${shown}, its answers right`, async (t) => {
      const size = bench.sizeFor?.(options) ?? bench.sizes.smoke[0]!;
      const found = await measure(bench, size, efforts.smoke, options);
      const lines = toJsonLines(bench, found, options, origin);
      t.is(lines.length, 1);
      t.like(JSON.parse(lines[0]!), { bench: name, size, ...options, verified: true });
    });
  }
}

test.serial('one device trains by itself', async (t) => {
  const bench = named('mnist');
  const found = await measure(bench, 2048, efforts.smoke, { devices: 1 });
  const [line] = toJsonLines(bench, found, { devices: 1 }, origin);
  const { ratio, imagesPerS, oneImagesPerS } = JSON.parse(line!) as Record<string, number>;
  t.is(ratio, 1);
  t.is(imagesPerS, oneImagesPerS);
});
