import type { Figure } from './figure.js';

const marked = /(<!-- figure (?<name>[\w-]+) -->\n)[^]*?(<!-- end -->)/g;

/**
 * A Markdown document with its figures brought up to date: what stands between `<!-- figure NAME -->`
 * and `<!-- end -->` becomes that figure's chart and table. Throws for a name that is no figure's.
 */
export function withFigures(text: string, figures: readonly Figure[]): string {
  return text.replaceAll(marked, (_, begin: string, name: string, end: string) => {
    const figure = figures.find((each) => each.name === name);
    if (figure === undefined) throw new Error(`no results for the figure ${name}`);
    return `${begin}\n${markdownOf(figure)}\n\n${end}`;
  });
}

function markdownOf({ name, origin, table }: Figure): string {
  const [header, ...rows] = table;
  const lines = [header!, header!.map((_, i) => (i === 0 ? '---' : '--:')), ...rows];
  const cells = lines.map((line) => `| ${line.join(' | ')} |`);
  return [`![${name}](charts/${name}.svg)`, '', `${origin}.`, '', ...cells].join('\n');
}
