// Lists the rows of test/rows.json that no test is named after, and ids in titles that are no rows.
//
//   node scripts/rows-without-tests.mjs        after npm run build
//
// A title is `S14 O-adam: what must hold`: ids before the colon. The tests are imported with an `ava`
// that notes titles and runs nothing, so titles made in loops count as what they come out as.
import { readFileSync, readdirSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..');
const tests = join(root, 'dist', 'test');
const id = /^(?:[VSCD]\d+|O-\w+)$/;

const ava = `
const note = (title) => { if (typeof title === 'string') globalThis.titles.push(title); };
const test = new Proxy(note, { get: (_, name) => (name === 'macro' ? (run) => run : test) });
export default test;
export const registerCompletionHandler = () => {};
`;
const hooks = `
export async function resolve(specifier, context, next) {
  if (specifier !== 'ava') return next(specifier, context);
  return { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(ava)}`)}, shortCircuit: true };
}
`;

/** The words before the colon, if all of them are ids. */
function idsOf(title) {
  const words = title.includes(':') ? title.split(':')[0].split(' ') : [];
  return words.every((word) => id.test(word)) ? words : [];
}

globalThis.titles = [];
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
// They need the stand-in driver from their first line on, and are about no row.
const needsDriver = join('cuda', 'stand-in');
for (const file of readdirSync(tests, { recursive: true })) {
  if (file.endsWith('.test.js') && !file.startsWith(needsDriver))
    await import(pathToFileURL(join(tests, file)).href);
}

const rows = new Set(
  Object.keys(JSON.parse(readFileSync(join(root, 'test', 'rows.json'), 'utf8'))),
);
const named = new Set(globalThis.titles.flatMap(idsOf));
const { optimizerNames } = await import(
  pathToFileURL(join(root, 'dist', 'src', 'core', 'optimizers', 'registry.js')).href
);
const missing = [...rows].filter((row) => !named.has(row));
const unknown = [...named].filter((name) => !rows.has(name));
const unlisted = optimizerNames.filter((name) => !rows.has(`O-${name}`));
if (globalThis.titles.length === 0) missing.push('any: no test was found');
for (const row of missing) console.log(`no test is named after ${row}`);
for (const name of unknown) console.log(`${name} is in a title, but no row of test/rows.json`);
for (const name of unlisted) console.log(`the optimizer ${name} has no row in test/rows.json`);
const count = globalThis.titles.length;
if (missing.length + unknown.length + unlisted.length === 0) {
  console.log(`each of ${rows.size} rows has a test, among ${count}`);
}
// Modules under test may have started what keeps a process alive.
process.exit(missing.length + unknown.length + unlisted.length > 0 ? 1 : 0);
