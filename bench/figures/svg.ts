import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import type { Figure } from './figure.js';

/** The chart of a figure as an SVG document. */
export async function svgOf({ chart }: Figure): Promise<string> {
  const view = new View(parse(compile(chart).spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}
