import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { figuresOf } from '../../bench/figures/catalogue.js';
import { withFigures } from '../../bench/figures/document.js';
import { figure, originOf, readResults, type Line } from '../../bench/figures/results.js';
import { svgOf } from '../../bench/figures/svg.js';

const origin = {
  machine: { cpu: 'A CPU', cores: 2, node: 'v20.0.0' },
  commit: 'abc123',
  date: '2000-01-31',
};
const line = (bench: string, fields: object, size = 1024): Line => ({
  bench,
  size,
  ...fields,
  ...origin,
});

const step = { limitUs: 1000, oursUs: 1500, ratio: 1.5, viewRatio: 2 };
const results = new Map([
  [
    'resnet50-step',
    [
      line('resnet50-step', { ...step, devices: 2, rivals: { openmpi: 4321 } }),
      line('resnet50-step', { ...step, devices: 4, rivals: {}, parts: { sumAndUpdateUs: 100 } }),
    ],
  ],
  [
    'scaling',
    [
      line('scaling', { devices: 8, us: 100, limitUs: 50, nsPerByte: 4, relative: 1.1, ratio: 2 }),
      line('scaling', { keys: 10, us: 20, limitUs: 10, usPerKey: 2, relative: 3, ratio: 2 }),
    ],
  ],
  [
    'mnist',
    [line('mnist', { devices: 2, imagesPerS: 150_000.4, ratio: 1.75, storeShare: 0.1234 })],
  ],
  [
    'copy-1',
    ['limit', 'native', 'reference'].map((variant, i) =>
      line('copy-1', { variant, medianUs: 10 * (i + 1), ratio: i + 1, gbps: 30 }),
    ),
  ],
]);

test('each bench becomes a table, without the rivals that were missing', (t) => {
  const tables = Object.fromEntries(figuresOf(results).map(({ name, table }) => [name, table]));
  t.deepEqual(tables, {
    kernels: [
      ['', 'elements', 'limit', 'native', 'reference', 'native to limit', 'GB/s'],
      ['copy-1', '1,024', '10.0 µs', '20.0 µs', '30.0 µs', '2.00', '30.0'],
    ],
    'resnet50-step': [
      ['', '2 devices', '4 devices'],
      ['limit, with outs', '1.00 ms', '1.00 ms'],
      ['dist_sync, copied out', '1.50 ms', '1.50 ms'],
      ['Open MPI', '4.32 ms', ''],
      ['copied out, to its limit', '1.50', '1.50'],
      ['views, to their limit', '2.00', '2.00'],
      ['of copied out: the calls', '', ''],
      ['of copied out: sum and update', '', '100 µs'],
      ['of copied out: the copies', '', ''],
    ],
    'scaling-keys': [
      ['keys', 'a step', 'µs a key', 'limit, the same', 'to the reference', 'to the limit'],
      ['10', '20.0 µs', '2.00', '1.00', '3.00', '2.00'],
    ],
    'scaling-devices': [
      ['devices', 'a step', 'ns a byte', 'limit, the same', 'to the reference', 'to the limit'],
      ['8', '100 µs', '4.00', '2.00', '1.10', '2.00'],
    ],
    mnist: [
      ['devices', 'images a second', 'times one device', 'share of the store'],
      ['2', '150,000', '1.75', '12.3 %'],
    ],
  });
});

test('each chart is an SVG document with its title, its figures and where they come from', async (t) => {
  for (const each of figuresOf(results)) {
    const svg = await svgOf(each);
    t.regex(svg, /^<svg [^]*<\/svg>\n$/);
    t.true(svg.includes('A CPU, 2 cores; Node 20.0.0; commit abc123; 2000-01-31'), each.name);
    if (each.name === 'resnet50-step')
      t.true(svg.includes('>4.32 ms<') && svg.includes('Open MPI'));
    t.is(await svgOf(each), svg, 'the same lines give the same chart');
  }
});

test('the newest file of a name counts, and lines of other days are told apart', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tensorkv-figures-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = (name: string, lines: readonly Line[]): Promise<void> =>
    writeFile(join(folder, name), lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
  await file('2000-01-31-one-key.jsonl', [line('one-key', { p50Us: 2 }), line('one-key', {})]);
  await file('2000-01-30-one-key.jsonl', [line('one-key', { p50Us: 1 })]);
  await file('2000-01-29-one-key-bytes.jsonl', [line('one-key', { p50Us: 3 })]);
  await writeFile(join(folder, 'notes.txt'), 'no lines');
  const read = readResults(folder);
  t.deepEqual([...read.keys()].sort(), ['one-key', 'one-key-bytes']);
  t.deepEqual(
    read.get('one-key')!.map((each) => figure(each, 'p50Us')),
    [2, undefined],
  );
  t.is(figure(line('one-key', { rivals: { openmpi: 5 } }), 'rivals.openmpi'), 5);
  const days = originOf([line('one-key', {}), { ...line('one-key', {}), date: '2000-02-01' }]);
  t.regex(days, /; 2000-01-31, 2000-02-01$/);
});

test('a document gets its figures again, and names none that does not exist', (t) => {
  const [first] = figuresOf(results);
  const text = (inside: string): string =>
    `before\n<!-- figure kernels -->\n${inside}<!-- end -->\nafter`;
  const once = withFigures(text(''), [first!]);
  t.regex(once, /!\[kernels\]\(charts\/kernels\.svg\)\n\nA CPU.*\.\n\n\|  \| elements \|/);
  t.regex(once, /\n\| copy-1 \| 1,024 \|.*\|\n\n<!-- end -->\nafter$/);
  t.is(withFigures(once, [first!]), once);
  t.throws(() => withFigures(text('').replace('kernels', 'colonels'), [first!]), {
    message: 'no results for the figure colonels',
  });
});

test('the page on performance shows every chart there is', async (t) => {
  const root = join(import.meta.dirname, '..', '..', '..');
  const page = await readFile(join(root, 'docs', 'performance.md'), 'utf8');
  const named = [...page.matchAll(/<!-- figure ([\w-]+) -->/g)].map(([, name]) => name!);
  const made = figuresOf(readResults(join(root, 'bench', 'results'))).map(({ name }) => name);
  t.deepEqual(named.toSorted(), made.toSorted());
  for (const name of named) t.true(page.includes(`(charts/${name}.svg)`), name);
});
