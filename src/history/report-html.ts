import { drawLanes, type LaneDrawing } from './lanes.js';
import type { Violation } from './operation.js';

const width = 640;
const rowHeight = 26;
const margin = 90;
const labelWidth = 320;

/** A page of violations, each with its operations drawn as lanes. `summary` comes first. */
export function reportHtml(
  title: string,
  summary: readonly string[],
  violations: readonly Violation[],
): string {
  const drawings = violations.map((violation) => section(drawLanes(violation)));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escape(title)}</title>
<style>
  body { font: 14px system-ui, sans-serif; margin: 2em; }
  svg text { font: 12px ui-monospace, monospace; }
  .push { fill: #c2410c; } .pull { fill: #1d4ed8; } .open { opacity: 0.45; }
</style>
<h1>${escape(title)}</h1>
<pre>${escape(summary.join('\n'))}</pre>
${drawings.join('\n')}
</html>
`;
}

function section(drawing: LaneDrawing): string {
  const { title, message, startNs, spanNs, lanes } = drawing;
  const rows = lanes.reduce((sum, { bars }) => sum + bars.length, 0);
  const height = (rows + 1) * rowHeight;
  const scale = `${(startNs / 1000).toFixed(1)} us, ${(spanNs / 1000).toFixed(1)} us long`;
  return `<h2>${escape(title)}</h2>
<p>${escape(message)}</p>
<svg width="${margin + width + labelWidth}" height="${height}" role="img" aria-label="${escape(title)}">
<text x="${margin}" y="14">from ${scale}</text>
${bars(lanes).join('\n')}
</svg>`;
}

function bars(lanes: LaneDrawing['lanes']): string[] {
  let row = 0;
  return lanes.flatMap(({ device, bars: each }) =>
    each.map(({ label, kind, from, to, isOpen }, i) => {
      row += 1;
      const y = row * rowHeight;
      const x = margin + from * width;
      const length = Math.max(3, (to - from) * width);
      const name = i === 0 ? `<text x="0" y="${y + 14}">device ${device}</text>` : '';
      const kinds = isOpen ? `${kind} open` : kind;
      return (
        `${name}<rect class="${kinds}" x="${x.toFixed(1)}" y="${y + 2}" rx="3" ` +
        `width="${length.toFixed(1)}" height="16"/>` +
        `<text x="${(x + length + 6).toFixed(1)}" y="${y + 14}">${escape(label)}</text>`
      );
    }),
  );
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
}
