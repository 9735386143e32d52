import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { root } from './project.js';

/** Asserts that the tests which `text` names are there. */
async function assertTests(t: ExecutionContext, text: string): Promise<void> {
  const line = text.replaceAll(/\s+/g, ' ');
  const named = [...line.matchAll(/`(?<file>test\/[\w/.-]+\.ts)`(?<titles>[^`]*)/g)];
  t.true(named.length > 0, line);
  for (const { groups } of named) {
    const source = await readFile(join(root, groups!['file']!), 'utf8');
    const titles = [...groups!['titles']!.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
    // Titles that are made in a loop stand there by the name of their case.
    for (const title of titles) {
      const parts = title.startsWith('a store stands: ') ? title.split(': ').slice(1) : [title];
      for (const part of parts) t.true(source.includes(part), `${groups!['file']}: ${part}`);
    }
  }
}

const page = readFile(join(root, 'docs', 'reliability.md'), 'utf8');

test('every promise of docs/reliability.md names tests that are there', async (t) => {
  const items = (await page)
    .split(/\n(?=\d+\. \*\*)|\n\n/)
    .filter((item) => /^\d+\. \*\*/.test(item));
  const promises = items.filter((item) => item.includes('Tests:'));
  t.is(promises.length, 12);
  for (const promise of promises) await assertTests(t, promise);
});

test('every fault of docs/reliability.md names tests that are there', async (t) => {
  const [, section] = (await page).split('\n## Faults\n');
  const rows = section!
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| '));
  t.true(rows.length > 20);
  for (const row of rows.slice(2)) await assertTests(t, row.split(' | ').at(-1)!);
});
