import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { brokenPromise, promisedLines, root, runProgram } from './programs.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, source]) => {
  const [, name] = /^\/\/ (\S+\.mjs)\n/.exec(source!) ?? [];
  return { name, source: source! };
});

/** A folder inside the package, where 'tensorkv' resolves to the package itself. */
function writeBlocks(): string {
  mkdirSync(join(root, 'build'), { recursive: true });
  const folder = mkdtempSync(join(root, 'build', 'readme-'));
  for (const { name, source } of blocks) writeFileSync(join(folder, name!), source);
  return folder;
}

test('every program of README.md has a file name of its own', (t) => {
  t.not(blocks.length, 0);
  t.is(new Set(blocks.map(({ name }) => name)).size, blocks.length);
  for (const { name, source } of blocks) t.truthy(name, source);
});

test('what README.md does not run is used by what it runs', (t) => {
  const run = blocks.filter(({ source }) => promisedLines(source).length > 0);
  for (const { name } of blocks.filter((each) => !run.includes(each))) {
    t.true(
      run.some(({ source }) => source.includes(`'./${name}'`)),
      name,
    );
  }
});

for (const { name, source } of blocks.filter((each) => promisedLines(each.source).length > 0)) {
  test(`${name} of README.md prints what it says`, async (t) => {
    const folder = writeBlocks();
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
