import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { figuresOf } from './catalogue.js';
import { withFigures } from './document.js';
import { readResults } from './results.js';
import { svgOf } from './svg.js';

// Makes the charts and tables of docs/performance.md anew from the newest lines in bench/results.

const root = join(import.meta.dirname, '..', '..', '..');
const chartsFolder = join(root, 'docs', 'charts');
const page = join(root, 'docs', 'performance.md');

const figures = figuresOf(readResults(join(root, 'bench', 'results')));
mkdirSync(chartsFolder, { recursive: true });
for (const figure of figures) {
  writeFileSync(join(chartsFolder, `${figure.name}.svg`), await svgOf(figure));
}
writeFileSync(page, withFigures(readFileSync(page, 'utf8'), figures));
