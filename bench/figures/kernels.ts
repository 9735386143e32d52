import { showCount } from '../arrays.js';
import { showNumber, showUs } from '../report.js';
import { dots, type Dot, type Figure } from './figure.js';
import { figure, originOf, type Line, type Results } from './results.js';

/** The native kernels against the limit and the references: benches with a line for each variant. */
export function kernels(results: Results): Figure[] {
  const lines = [...results.values()].flat();
  const natives = lines.filter(({ variant }) => variant === 'native');
  if (natives.length === 0) return [];
  const beside = ({ bench, size }: Line, variant: string): Line =>
    lines.find((line) => line.bench === bench && line.size === size && line.variant === variant)!;
  const found = natives.flatMap((native): Dot[] => {
    const [label, group] = [native.bench, sizeOf(native)];
    return [
      { label, group, kind: 'limit', us: medianUs(beside(native, 'limit')) },
      { label, group, kind: 'tensorkv', us: medianUs(native) },
    ];
  });
  const about = { name: 'kernels', title: 'Kernels against the limit of memory' };
  const drawn = dots({ ...about, origin: originOf(natives) }, found);
  const header = ['', 'elements', 'limit', 'native', 'reference', 'native to limit', 'GB/s'];
  const rows = natives.map((native) => [
    native.bench,
    showCount(native.size),
    ...[beside(native, 'limit'), native, beside(native, 'reference')].map((line) =>
      showUs(medianUs(line)),
    ),
    showNumber(figure(native, 'ratio')!),
    showNumber(figure(native, 'gbps')!),
  ]);
  return [{ ...drawn, table: [header, ...rows] }];
}

/** Arrays of 64 KiB, or larger than any cache. */
function sizeOf({ size }: Line): string {
  return size <= 16_384 ? 'in cache' : 'in memory';
}

function medianUs(line: Line): number {
  return figure(line, 'medianUs')!;
}
