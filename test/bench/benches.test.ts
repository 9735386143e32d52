import test from 'ava';
import { digest, floats, integers } from '../../bench/arrays.js';
import { benches } from '../../bench/benches.js';
import { efforts, measure, type Bench } from '../../bench/harness.js';
import { thisCommit, thisMachine } from '../../bench/machine.js';
import { toJsonLine, toJsonLines, toTable } from '../../bench/report.js';
import { resnet50Sizes } from '../../bench/resnet50-step.bench.js';

const origin = { machine: thisMachine(), commit: thisCommit(), date: '2000-01-31' };
const options = { devices: 2 };
const found = new Map<string, ReturnType<typeof measure>>();

/** What a bench finds at smoke size, measured once: that takes most of the time. */
async function measured(bench: Bench, size: number): ReturnType<typeof measure> {
  const name = `${bench.name} ${size}`;
  if (!found.has(name)) found.set(name, measure(bench, size, efforts.smoke, options));
  return found.get(name)!;
}

for (const bench of benches) {
  test.serial(`${bench.name} runs at smoke size, and its answers agree`, async (t) => {
    for (const size of bench.sizes.smoke) {
      const measurements = await measured(bench, size);
      t.true(measurements.length > 1);
      for (const measurement of measurements) {
        const line = toJsonLine(measurement, origin);
        t.false(line.includes('\n'));
        const parsed = JSON.parse(line) as Record<string, unknown>;
        t.like(parsed, {
          bench: bench.name,
          size,
          variant: measurement.variant,
          verified: true,
          rounds: 2,
          machine: { cores: origin.machine.cores, node: process.version },
          commit: origin.commit,
          date: '2000-01-31',
        });
        for (const field of ['medianUs', 'minUs', 'maxUs', 'ratio']) {
          t.true(Number(parsed[field]) > 0, field);
        }
      }
      const table = toTable(bench, measurements);
      t.true(table.includes(bench.question));
      for (const { variant } of measurements) t.true(table.includes(variant));
    }
  });
}

for (const [name, fields] of [
  ['resnet50-step', 'limitUs sharedLimitUs oursUs awaitedUs viewUs localUs rivals ratio viewRatio'],
  ['one-key', 'p50Us p99Us floorUs'],
  ['many-keys', 'usPerKey'],
  ['single-caller', 'pushPullUs comlinkUs'],
  ['scaling', 'us limitUs usPerKey nsPerByte relative ratio'],
  ['mnist', 'imagesPerS oneImagesPerS ratio storeShare'],
  ['loop-delay', 'p50Us p99Us maxUs idleP50Us idleP99Us idleMaxUs'],
] as const) {
  test.serial(`${name} prints one line with its figures`, async (t) => {
    const bench = benches.find((each) => each.name === name)!;
    const lines = toJsonLines(bench, await measured(bench, bench.sizes.smoke[0]!), options, origin);
    t.is(lines.length, 1);
    const line = JSON.parse(lines[0]!) as Record<string, unknown>;
    t.like(line, { bench: name, ...options, verified: true, commit: origin.commit });
    for (const field of fields.split(' ')) {
      const value = line[field];
      const figures = typeof value === 'number' ? [value] : Object.values(Object(value) as object);
      t.true(figures.length > 0 && figures.every((each) => Number(each) > 0), field);
    }
  });
}

test('benches have names of their own, and a size for every occasion', (t) => {
  t.is(new Set(benches.map(({ name }) => name)).size, benches.length);
  for (const { name, sizes } of benches) {
    t.regex(name, /^[a-z0-9-]+$/);
    t.true(sizes.smoke.length > 0 && sizes.full.length > 0);
  }
});

test('ResNet-50 has 161 parameters of 25,557,032 elements in all', (t) => {
  const sizes = resnet50Sizes();
  t.is(sizes.length, 161);
  t.is(
    sizes.reduce((sum, size) => sum + size, 0),
    25_557_032,
  );
  t.deepEqual(sizes.slice(0, 3), [9408, 64, 64]);
  t.deepEqual(sizes.slice(-2), [2_048_000, 1000]);
  t.is(Math.max(...sizes), 2_359_296, 'a 3 by 3 convolution of 512 channels');
});

test('a digest depends on every element, and not on where arrays are cut', (t) => {
  const array = integers(1000, 1);
  const whole = digest([array]);
  t.is(digest([array.subarray(0, 1), array.subarray(1, 400), array.subarray(400)]), whole);
  const seen = new Set([whole]);
  for (let i = 0; i < array.length; i++) {
    array[i]! += 1;
    seen.add(digest([array]));
    array[i]! -= 1;
  }
  t.is(seen.size, 1001);
  t.is(digest([array]), whole);
  t.not(digest([floats(2)]), digest([floats(3)]));
});
