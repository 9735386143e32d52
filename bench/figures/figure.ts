import type { TopLevelSpec } from 'vega-lite';
import { showUs } from '../report.js';

/** A chart of what a bench has found, and the same as a table. */
export interface Figure {
  readonly name: string;
  readonly chart: TopLevelSpec;
  /** Cells as text, the header first. */
  readonly table: readonly (readonly string[])[];
  /** Machine, commit and day. */
  readonly origin: string;
}

/** Whose figure it is: this decides its colour. */
export type Kind = 'limit' | 'tensorkv' | 'rival';

const colours: Readonly<Record<Kind, string>> = {
  limit: '#8a8a8a',
  tensorkv: '#1f6fb4',
  rival: '#d1742f',
};

/** One dot: what it is, in which part of the chart, and how long it took. */
export interface Dot {
  readonly label: string;
  readonly group: string;
  readonly kind: Kind;
  readonly us: number;
}

/** A part of a chart, several marks over each other. */
type LayerPart = Extract<TopLevelSpec, { readonly layer: unknown }>;

/** Everything about a figure but its data. */
export interface About {
  readonly name: string;
  readonly title: string;
  readonly origin: string;
}

/** Times side by side on a logarithmic scale, a part for each group; the table has `more` rows. */
export function dots(
  about: About,
  found: readonly Dot[],
  more: readonly (readonly string[])[] = [],
): Figure {
  const groups = [...new Set(found.map(({ group }) => group))];
  const labels = [...new Set(found.map(({ label }) => label))];
  const cell = (label: string, group: string): string => {
    const dot = found.find((each) => each.label === label && each.group === group);
    return dot === undefined ? '' : showUs(dot.us);
  };
  const chart: TopLevelSpec = {
    ...headOf(about),
    vconcat: groups.map((group) => partOf(found.filter((dot) => dot.group === group))),
    resolve: { scale: { x: 'shared', color: 'shared' } },
  };
  const rows = labels.map((label) => [label, ...groups.map((group) => cell(label, group))]);
  return { ...about, chart, table: [['', ...groups], ...rows, ...more] };
}

/** The dots of one group. */
function partOf(found: readonly Dot[]): LayerPart {
  const labels = found.map(({ label }) => label);
  // Times of several dots in a row would lie on each other.
  const hasText = new Set(labels).size === labels.length;
  const points: LayerPart['layer'][number] = { mark: { type: 'point', filled: true, size: 70 } };
  const texts: LayerPart['layer'][number] = {
    mark: { type: 'text', align: 'left', dx: 8 },
    encoding: { text: { field: 'shown', type: 'nominal' } },
  };
  return {
    title: { text: found[0]!.group, anchor: 'start', fontSize: 11 },
    data: { values: found.map((dot) => ({ ...dot, shown: showUs(dot.us) })) },
    width: 460,
    encoding: {
      y: {
        field: 'label',
        type: 'nominal',
        sort: labels,
        title: null,
        axis: { labelLimit: 240 },
      },
      x: { field: 'us', type: 'quantitative', scale: { type: 'log' }, title: 'µs, logarithmic' },
      color: colourOf('kind', Object.keys(colours), Object.values(colours)),
    },
    layer: hasText ? [points, texts] : [points],
  };
}

/** One point of a curve. */
export interface CurvePoint {
  readonly curve: string;
  readonly x: number;
  readonly y: number;
}

/** What a chart of curves says at its axes. */
export interface Axes {
  readonly x: string;
  readonly y: string;
}

/** Costs along something that grows, both on logarithmic scales. */
export function curves(
  about: About,
  axes: Axes,
  found: readonly CurvePoint[],
  table: Figure['table'],
): Figure {
  const names = [...new Set(found.map(({ curve }) => curve))];
  const log = { type: 'log' } as const;
  const chart: TopLevelSpec = {
    ...headOf(about),
    data: { values: found.map((point) => ({ ...point })) },
    width: 460,
    height: 260,
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'x', type: 'quantitative', scale: log, title: axes.x },
      y: { field: 'y', type: 'quantitative', scale: log, title: axes.y },
      color: colourOf('curve', names, [colours.tensorkv, colours.limit, colours.rival]),
    },
  };
  return { ...about, chart, table };
}

function headOf({ title, origin }: About) {
  return {
    background: 'white',
    padding: 12,
    title: { text: title, subtitle: origin, anchor: 'start', frame: 'bounds' },
    config: { font: 'sans-serif' },
  } as const;
}

function colourOf(field: string, domain: string[], range: string[]) {
  return { field, type: 'nominal', title: null, scale: { domain, range } } as const;
}
