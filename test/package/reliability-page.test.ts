import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { root } from './project.js';

test('every promise of docs/reliability.md names tests that are there', async (t) => {
  const page = await readFile(join(root, 'docs', 'reliability.md'), 'utf8');
  const items = page.split(/\n(?=\d+\. \*\*)|\n\n/).filter((item) => /^\d+\. \*\*/.test(item));
  const promises = items.filter((item) => item.includes('Tests:'));
  t.is(promises.length, 12);
  for (const promise of promises) {
    const line = promise.replaceAll(/\s+/g, ' ');
    const named = [...line.matchAll(/`(?<file>test\/[\w/.-]+\.ts)`(?<titles>[^`]*)/g)];
    t.true(named.length > 0, line);
    for (const { groups } of named) {
      const text = await readFile(join(root, groups!['file']!), 'utf8');
      const titles = [...groups!['titles']!.matchAll(/"([^"]+)"/g)].map((match) => match[1]!);
      // Titles that are made in a loop stand there by the name of their case.
      for (const title of titles) {
        const parts = title.startsWith('a store stands: ') ? title.split(': ').slice(1) : [title];
        for (const part of parts) t.true(text.includes(part), `${groups!['file']}: ${part}`);
      }
    }
  }
});
