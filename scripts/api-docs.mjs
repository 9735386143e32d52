// Writes docs/api.md: every name that the package exports, with its docstring and its declaration.
//
//   npm run docs                        after npm run build
//   node scripts/api-docs.mjs --check   fails where docs/api.md is not what would be written
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { format } from 'oxfmt';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'api.md');
const entry = join(root, 'dist', 'src', 'index.d.ts');
const cudaEntry = join(root, 'dist', 'src', 'cuda.d.ts');

/** Exported names with the file that declares each, in the order of src/index.ts. */
function exportsOf(file) {
  const statements = readFileSync(file, 'utf8').matchAll(
    /^export (?:type )?\{([^}]*)\} from '([^']+)';/gms,
  );
  return [...statements].flatMap(([, names, from]) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name) => ({ name, file: join(dirname(file), from.replace(/\.js$/, '.d.ts')) })),
  );
}

/** The declarations of `name` in `file`, overloads included, each with the docstring before it. */
function declarationsOf({ name, file }) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const start = new RegExp(
    `^export (?:declare )?(?:abstract )?(class|function|interface|type|const) ${name}\\b`,
  );
  const found = [];
  for (const [at, line] of lines.entries()) {
    const kind = start.exec(line)?.[1];
    if (kind !== undefined)
      found.push({ kind, doc: docBefore(lines, at), code: codeFrom(lines, at) });
  }
  if (found.length > 0) return found;
  // Exported from a file that exports it from another one.
  const passed = exportsOf(file).find((each) => each.name === name);
  if (passed !== undefined) return declarationsOf(passed);
  throw new Error(`${name}: no declaration in ${relative(root, file)}`);
}

function docBefore(lines, at) {
  if (!lines[at - 1]?.trim().endsWith('*/')) return '';
  let first = at - 1;
  while (!lines[first].trim().startsWith('/**')) first -= 1;
  return lines
    .slice(first, at)
    .map((line) => line.replace(/^\s*(?:\/\*\*|\*\/|\* ?)/, '').replace(/\s*\*\/$/, ''))
    .join('\n')
    .trim();
}

/** Lines from `at` to where every bracket is closed; private members are left out. */
function codeFrom(lines, at) {
  const code = [];
  let depth = 0;
  for (const line of lines.slice(at)) {
    // Comments have brackets of their own.
    const bare = line.replace(/\/\*\*.*?\*\/|^\s*\*.*$|\/\*\*.*$|=>/g, '');
    depth += (bare.match(/[{([<]/g) ?? []).length - (bare.match(/[})\]>]/g) ?? []).length;
    if (!/^\s*(?:#private;|private constructor\(|\[array\]\()/.test(line)) code.push(line);
    if (depth <= 0 && /[;}]\s*$/.test(bare)) break;
  }
  return code
    .join('\n')
    .replace(/^export (?:declare (?!const))?/, '')
    .replaceAll(/import\("[^"]*"\)\./g, '');
}

function sectionOf(exported) {
  const declarations = declarationsOf(exported);
  const docs = declarations.map(({ doc }) => doc).filter((doc) => doc !== '');
  if (docs.length === 0) throw new Error(`${exported.name} has no docstring`);
  const code = declarations.map((each) => each.code).join('\n');
  return `### ${exported.name}\n\n${docs.join('\n\n')}\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
}

/** What `optim.NAME` or `schedule.NAME` takes: its formula, and its options with their docstrings. */
function recipesIn(folder) {
  const files = readdirSync(join(dirname(entry), folder)).filter((file) => file.endsWith('.d.ts'));
  return files.flatMap((file) => {
    const path = join(dirname(entry), folder, file);
    const text = readFileSync(path, 'utf8');
    const made = text.matchAll(
      /^export declare (?:const (\w+): .*\b(?:Optimizer|ScheduleMaker)<(\w+)>|function (plateau)\(.*<(\w+)>\))/gm,
    );
    return [...made].map(([, constant, own, plateau, options]) => {
      const [name, optionType] = [constant ?? plateau, own ?? options];
      const [{ doc }] = declarationsOf({ name, file: path });
      if (doc === '') throw new Error(`${name} has no docstring`);
      const isOwn = new RegExp(`^export interface ${optionType}\\b`, 'm').test(text);
      const code = isOwn ? declarationsOf({ name: optionType, file: path })[0].code : '';
      return `### ${name}\n\n${doc}\n${code === '' ? '' : `\n\`\`\`ts\n${code}\n\`\`\`\n`}`;
    });
  });
}

const order = { class: 0, function: 1, const: 1, interface: 2, type: 2 };
const titles = ['Classes', 'Functions and values', 'Types'];
const sections = (list) =>
  list.toSorted((a, b) => a.name.localeCompare(b.name, 'en')).map(sectionOf);
const groups = titles.map(() => []);
for (const exported of exportsOf(entry)) {
  groups[order[declarationsOf(exported)[0].kind]].push(exported);
}
const text = [
  '# API reference\n',
  'All that `tensorkv` and `tensorkv/cuda` export, made of the docstrings by `npm run docs`. The [pages](README.md) say how',
  'it goes together.\n',
  ...groups.flatMap((group, i) => [`## ${titles[i]}\n`, ...sections(group)]),
  '## tensorkv/cuda\n',
  ...sections(exportsOf(cudaEntry)),
  '## Optimizers\n',
  ...recipesIn('core/optimizers'),
  '## Schedules\n',
  ...recipesIn('core/schedules'),
].join('\n');
const style = JSON.parse(readFileSync(join(root, '.oxfmtrc.json'), 'utf8'));
const { code: written, errors } = await format(page, text, style);
if (errors.length > 0) throw new Error(errors[0].message);

if (!process.argv.includes('--check')) {
  writeFileSync(page, written);
} else if (readFileSync(page, 'utf8') !== written) {
  console.log('docs/api.md is not what the docstrings say: npm run docs');
  process.exitCode = 1;
}
