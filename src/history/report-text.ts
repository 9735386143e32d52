import { drawLanes, type LaneDrawing } from './lanes.js';
import type { Violation } from './operation.js';

const width = 72;

/** A violation for a terminal: what was expected, and the operations as lanes along time. */
export function violationText(violation: Violation): string {
  const drawing = drawLanes(violation);
  return [drawing.title, `  ${drawing.message}`, ...lanesText(drawing)].join('\n');
}

function lanesText({ startNs, spanNs, lanes }: LaneDrawing): string[] {
  const span = `${(spanNs / 1000).toFixed(1)} us`;
  const head = `  from ${(startNs / 1000).toFixed(1)} us`;
  const scale = `${head}${span.padStart(Math.max(1, width + 12 - head.length))}`;
  return [
    scale,
    ...lanes.flatMap(({ device, bars }) =>
      bars.map((bar, i) => {
        const name = (i === 0 ? `device ${device}` : '').padEnd(10);
        const from = Math.round(bar.from * (width - 2));
        const to = Math.max(from + 1, Math.round(bar.to * (width - 1)));
        const line = `|${'-'.repeat(to - from - 1)}${bar.isOpen ? '>' : '|'}`;
        return `  ${name}${' '.repeat(from)}${line}`.padEnd(width + 13) + ` ${bar.label}`;
      }),
    ),
  ];
}
