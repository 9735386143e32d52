import type { Bench, BenchOptions, Measurement } from './harness.js';
import type { Machine } from './machine.js';

/** What every result line names beside the measurement. */
export interface Origin {
  readonly machine: Machine;
  readonly commit: string;
  /** The day, as YYYY-MM-DD. */
  readonly date: string;
}

/** What was found at one size as lines of JSON: the bench's figures, or a line a variant. */
export function toJsonLines(
  bench: Bench,
  found: readonly Measurement[],
  options: BenchOptions,
  origin: Origin,
): string[] {
  const [first] = found;
  if (bench.figures === undefined || first === undefined) {
    return found.map((measurement) => toJsonLine(measurement, origin));
  }
  const figures = bench.figures(new Map(found.map((each) => [each.variant, each])), options);
  const { about, verified, rounds } = first;
  const { outside: _, ...asked } = options;
  const all = { bench: bench.name, size: first.size, ...asked, about, ...figures, verified };
  return [JSON.stringify({ ...all, rounds, ...origin }, (__, value: unknown) => shortened(value))];
}

function shortened(value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? digits(value) : value;
}

/** One measurement as a line of JSON, times and ratios to four digits. */
export function toJsonLine(measurement: Measurement, origin: Origin): string {
  const { medianUs, minUs, maxUs, ratio, gbps, samplesUs: _, roundsUs: __, ...rest } = measurement;
  return JSON.stringify({
    ...rest,
    medianUs: digits(medianUs),
    minUs: digits(minUs),
    maxUs: digits(maxUs),
    ratio: digits(ratio),
    ...(gbps === undefined ? {} : { gbps: digits(gbps) }),
    ...origin,
  });
}

/** A bench at one size as a table, the question above it. */
export function toTable(bench: Bench, measurements: readonly Measurement[]): string {
  const [first] = measurements;
  if (first === undefined) return '';
  const rows = measurements.map((each) => [
    each.variant,
    ...[each.medianUs, each.minUs, each.maxUs].map(showUs),
    `${showNumber(each.ratio)} x`,
    ...(each.gbps === undefined ? [] : [showNumber(each.gbps)]),
  ]);
  const speed = first.gbps === undefined ? [] : ['GB/s'];
  const header = ['', 'median', 'min', 'max', `to ${first.baseline}`, ...speed];
  return [
    `${bench.name}: ${bench.question}`,
    `${first.about}; answers agree; ${first.rounds} rounds`,
    ...aligned([header, ...rows]),
    '',
  ].join('\n');
}

/** A time with its unit, to three digits. */
export function showUs(us: number): string {
  return us < 999.5 ? `${showNumber(us)} µs` : `${showNumber(us / 1000)} ms`;
}

/** Three digits, or all before the point. */
export function showNumber(x: number): string {
  return x < 999.5 ? x.toPrecision(3) : String(Math.round(x));
}

function digits(x: number): number {
  return Number(x.toPrecision(4));
}

/** Columns as wide as their widest cell; names to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}
