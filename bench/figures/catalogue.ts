import { showCount } from '../arrays.js';
import { showNumber, showUs } from '../report.js';
import { curves, dots, type Dot, type Figure, type Kind } from './figure.js';
import { kernels } from './kernels.js';
import { figure, originOf, type Line, type Results } from './results.js';
import { scaling } from './scaling.js';

/** A field of a line: where it is, what it says, and whose it is. */
type Field = readonly [path: string, label: string, kind: Kind];

/** A bench whose lines have times of several things to compare. */
interface Comparison {
  readonly name: string;
  readonly title: string;
  readonly fields: readonly Field[];
  /** Fields for the table alone, and how it shows them. */
  readonly more?: readonly (readonly [path: string, label: string, show: (x: number) => string])[];
  /** What lines differ in. */
  readonly groupOf: (line: Line) => string;
}

const byDevices = ({ devices }: Line): string => `${String(devices)} devices`;

const stepFields: readonly Field[] = [
  ['limitUs', 'limit, with outs', 'limit'],
  ['kernelsUs', 'kernels without a store', 'limit'],
  ['oursUs', 'dist_sync, copied out', 'tensorkv'],
  ['awaitedUs', 'dist_sync, awaited', 'tensorkv'],
  ['localUs', 'local, one caller', 'tensorkv'],
  ['sharedLimitUs', 'limit, without outs', 'limit'],
  ['viewUs', 'dist_sync, views', 'tensorkv'],
  ['rivals.openmpi', 'Open MPI', 'rival'],
  ['rivals.torchInProcess', 'PyTorch, one process', 'rival'],
  ['rivals.ddpGloo', 'PyTorch, DDP over gloo', 'rival'],
  ['rivals.nodeShared', 'SharedArrayBuffer by hand', 'rival'],
  ['rivals.structuredClones', 'structured clones', 'rival'],
];

const stepMore = [
  ['ratio', 'copied out, to its limit', showNumber],
  ['viewRatio', 'views, to their limit', showNumber],
  ['parts.callsUs', 'of copied out: the calls', showUs],
  ['parts.sumAndUpdateUs', 'of copied out: sum and update', showUs],
  ['parts.copiesUs', 'of copied out: the copies', showUs],
] as const;

const comparisons: readonly Comparison[] = [
  {
    name: 'single-caller',
    title: 'One caller: a push and a pull of one key',
    groupOf: ({ size }) => `${showCount(size)} float32`,
    fields: [
      ['pushpullUs', 'pushpull', 'tensorkv'],
      ['pushPullUs', 'push, then pull', 'tensorkv'],
      ['comlinkUs', 'comlink call, a number', 'rival'],
    ],
  },
  {
    name: 'one-key',
    title: 'One key: a step when every device waits for the others',
    groupOf: (line) => `${byDevices(line)}, ${showCount(line.size * 4)} bytes`,
    fields: [
      ['floorUs', 'kernels without a store', 'limit'],
      ['p50Us', 'blocking, median', 'tensorkv'],
      ['p99Us', 'blocking, 99 %', 'tensorkv'],
      ['awaitedP50Us', 'awaited, median', 'tensorkv'],
      ['awaitedP99Us', 'awaited, 99 %', 'tensorkv'],
      ['openmpiUs', 'Open MPI, median', 'rival'],
      ['openmpiP99Us', 'Open MPI, 99 %', 'rival'],
    ],
  },
  {
    name: 'many-keys',
    title: 'Many keys: a step over small keys as one list, for each key',
    groupOf: (line) => `${byDevices(line)}, ${showCount(line.size)} keys`,
    fields: [
      ['floorUsPerKey', 'kernels without a store', 'limit'],
      ['usPerKey', 'blocking', 'tensorkv'],
      ['awaitedUsPerKey', 'awaited', 'tensorkv'],
    ],
  },
  {
    name: 'resnet50-step',
    title: 'ResNet-50: a training step without the network',
    groupOf: byDevices,
    fields: stepFields,
    more: stepMore,
  },
  {
    name: 'resnet50-step-bytes',
    title: 'One large key: a training step',
    groupOf: (line) => `${byDevices(line)}, ${showCount(Number(line['bytes']))} bytes`,
    fields: stepFields,
    more: stepMore,
  },
];

/** All figures that can be made of the results there are. */
export function figuresOf(results: Results): Figure[] {
  const compared = comparisons.flatMap((comparison) => {
    const lines = results.get(comparison.name);
    return lines === undefined ? [] : [compare(comparison, lines)];
  });
  return [
    ...kernels(results),
    ...rowSparse(results),
    ...compared,
    ...scaling(results),
    ...mnist(results),
  ];
}

function compare({ name, title, fields, more = [], groupOf }: Comparison, lines: readonly Line[]) {
  const found = fields.flatMap(([path, label, kind]) =>
    lines.flatMap((line): Dot[] => {
      const us = figure(line, path);
      return us === undefined ? [] : [{ label, kind, us, group: groupOf(line) }];
    }),
  );
  const rows = more.map(([path, label, show]) => [
    label,
    ...lines.map((line) => {
      const value = figure(line, path);
      return value === undefined ? '' : show(value);
    }),
  ]);
  return dots({ name, title, origin: originOf(lines) }, found, rows);
}

function rowSparse(results: Results): Figure[] {
  const lines = results.get('row-sparse');
  if (lines === undefined) return [];
  const about = {
    name: 'row-sparse',
    title: 'A push of few rows of many',
    origin: originOf(lines),
  };
  const found = lines.map((line): Dot => {
    const [label, group] = [String(line['variant']), String(line['about'])];
    return { label, group, kind: 'tensorkv', us: figure(line, 'medianUs')! };
  });
  return [dots(about, found)];
}

function mnist(results: Results): Figure[] {
  const lines = results.get('mnist');
  if (lines === undefined) return [];
  const about = { name: 'mnist', title: 'MNIST: images a second', origin: originOf(lines) };
  const rows = lines.map((line) => [
    String(line['devices']),
    showCount(Math.round(figure(line, 'imagesPerS')!)),
    showNumber(figure(line, 'ratio')!),
    `${(figure(line, 'storeShare')! * 100).toFixed(1)} %`,
  ]);
  const found = lines.map((line) => ({
    curve: 'images a second',
    x: figure(line, 'devices')!,
    y: figure(line, 'imagesPerS')!,
  }));
  const header = ['devices', 'images a second', 'times one device', 'share of the store'];
  return [curves(about, { x: 'devices', y: 'images a second' }, found, [header, ...rows])];
}
