import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { commonDefaults } from '../../src/core/optimizers/optimizer.js';
import { optimizerNamed, optimizerNames } from '../../src/core/optimizers/registry.js';
import { brokenPromise, promisedLines, root, runProgram } from './programs.js';

/** A program of a document: a block of JavaScript whose first line names its file. */
interface Program {
  readonly name: string | undefined;
  readonly source: string;
}

const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

function programsOf(document: string): Program[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, source]) => {
    const [, name] = /^\/\/ (\S+\.mjs)\n/.exec(source!) ?? [];
    return { name, source: source! };
  });
}

/** A folder inside the package, where 'tensorkv' resolves to the package itself. */
function writePrograms(programs: readonly Program[]): string {
  mkdirSync(join(root, 'build'), { recursive: true });
  const folder = mkdtempSync(join(root, 'build', 'document-'));
  for (const { name, source } of programs) writeFileSync(join(folder, name!), source);
  return folder;
}

test('README.md and the pages have programs', (t) => {
  t.true(programsOf('README.md').length > 0);
  t.true(documents.filter((each) => programsOf(each).length > 0).length >= 7);
});

test('O: the table of docs/optimizers.md has every optimizer with its options and defaults', (t) => {
  const text = readFileSync(join(root, 'docs/optimizers.md'), 'utf8');
  for (const name of optimizerNames) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
    const own = Object.entries(optimizerNamed(name).resolve({}))
      .filter(([option]) => !(option in commonDefaults))
      .map(([option, value]) => `\`${option} ${value ?? 'none'}\``);
    t.is(row?.split('|')[2]?.trim(), own.join(', '), name);
  }
});

for (const document of documents) {
  const programs = programsOf(document);
  const run = programs.filter(({ source }) => promisedLines(source).length > 0);

  test(`every program of ${document} has a file name of its own, and is run`, (t) => {
    t.is(new Set(programs.map(({ name }) => name)).size, programs.length);
    for (const { name, source } of programs) t.truthy(name, source);
    // What promises nothing is a module of what does.
    for (const { name } of programs.filter((each) => !run.includes(each))) {
      t.true(
        run.some(({ source }) => source.includes(`'./${name}'`)),
        name,
      );
    }
  });

  for (const { name, source } of run) {
    test(`${name} of ${basename(document)} prints what it says`, async (t) => {
      const folder = writePrograms(programs);
      try {
        const { code, stdout, stderr } = await runProgram(join(folder, name!));
        t.is(stderr, '');
        t.is(code, 0);
        t.is(brokenPromise(source, stdout), undefined);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
}
