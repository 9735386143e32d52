import { showCount } from '../arrays.js';
import { showNumber, showUs } from '../report.js';
import { curves, type Figure } from './figure.js';
import { figure, originOf, type Line, type Results } from './results.js';

/** One thing that is varied, and what its cost is counted in. */
interface Series {
  readonly varied: 'bytes' | 'keys' | 'devices';
  readonly title: string;
  readonly unit: string;
  readonly costOf: (line: Line, us: number) => number;
}

const perByte = ({ us, nsPerByte }: Line, time: number): number =>
  (time / Number(us)) * Number(nsPerByte);

const series: readonly Series[] = [
  {
    varied: 'bytes',
    title: 'One key that grows: the cost of a byte that moves',
    unit: 'ns a byte',
    costOf: perByte,
  },
  {
    varied: 'keys',
    title: 'More keys in a list: the cost of a key',
    unit: 'µs a key',
    costOf: ({ us, usPerKey }, time) => (time / Number(us)) * Number(usPerKey),
  },
  {
    varied: 'devices',
    title: 'More devices: the cost of a byte that moves',
    unit: 'ns a byte',
    costOf: perByte,
  },
];

/** How costs grow with bytes, keys and devices. */
export function scaling(results: Results): Figure[] {
  return series.flatMap((each) => {
    // A series that was run by itself has a file of its own.
    const lines = results.get(`scaling-${each.varied}`) ?? results.get('scaling') ?? [];
    const own = lines.filter((line) => variedIn(line) === each.varied);
    return own.length === 0 ? [] : [figureOf(each, own)];
  });
}

function variedIn(line: Line): Series['varied'] {
  if (line['keys'] !== undefined) return 'keys';
  return line['bytes'] === undefined ? 'devices' : 'bytes';
}

function figureOf({ varied, title, unit, costOf }: Series, lines: readonly Line[]): Figure {
  const about = { name: `scaling-${varied}`, title, origin: originOf(lines) };
  const costs = lines.map((line) => ({
    line,
    x: figure(line, varied)!,
    ours: costOf(line, figure(line, 'us')!),
    limit: costOf(line, figure(line, 'limitUs')!),
  }));
  const found = costs.flatMap(({ x, ours, limit }) => [
    { curve: 'tensorkv', x, y: ours },
    { curve: 'limit', x, y: limit },
  ]);
  const header = [varied, 'a step', unit, 'limit, the same', 'to the reference', 'to the limit'];
  const rows = costs.map(({ line, x, ours, limit }) => [
    showCount(x),
    showUs(figure(line, 'us')!),
    ...[ours, limit, figure(line, 'relative')!, figure(line, 'ratio')!].map(showNumber),
  ]);
  return curves(about, { x: varied, y: unit }, found, [header, ...rows]);
}
