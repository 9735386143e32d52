import { copyFile, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { root, run, temporaryFolder, writeFiles, type Outcome } from './project.js';

// Each check of `npm run check` must bite: a rule that is broken on purpose has to fail it.

const script = (name: string): string => join(root, 'scripts', name);

async function lint(t: ExecutionContext, source: string): Promise<Outcome> {
  const folder = await temporaryFolder(t);
  for (const file of ['.oxlintrc.json', 'tsconfig.json']) {
    await copyFile(join(root, file), join(folder, file));
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFiles(folder, { 'src/fixture.ts': source });
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
  return run(['node', oxlint, '--type-aware', '--deny-warnings', 'src'], folder);
}

const push = 'export async function push(): Promise<void> {}\n';
const broken: Readonly<Record<string, readonly [string, string]>> = {
  'a forgotten promise': ['no-floating-promises', `${push}push();`],
  'a promise forgotten in a function': [
    'no-floating-promises',
    `${push}export function all(): void {\n  push();\n}`,
  ],
  'a promise as a condition': [
    'no-misused-promises',
    `${push}export function f(): number {\n  return push() ? 1 : 2;\n}`,
  ],
  'a promise where nobody waits': [
    'no-misused-promises',
    `${push}[1].forEach(async () => {\n  await push();\n});`,
  ],
  'an await of what is no promise': ['await-thenable', 'export const x = await 5;'],
  'an explicit any': ['no-explicit-any', 'export const x: any = 5;'],
  'a default export': ['no-default-export', 'export default 5;'],
  'five parameters': [
    'max-params',
    'export const f = (a: 1, b: 1, c: 1, d: 1, e: 1): number => a + b + c + d + e;',
  ],
  'a file of 301 lines': ['max-lines', 'console;\n'.repeat(301)],
  'a switch that forgets a case': [
    'switch-exhaustiveness-check',
    "export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n  }\n}",
  ],
};
for (const [name, [rule, source]] of Object.entries(broken)) {
  test.serial(`lint fails for ${name}`, async (t) => {
    const { code, output } = await lint(t, source);
    t.is(code, 1, output);
    t.true(output.includes(rule), output);
  });
}

test.serial(
  'lint passes for promises that are awaited, returned or dropped on purpose',
  async (t) => {
    const source = `${push}export async function f(): Promise<void> {
    await push();
    void push();
    return push();
  }`;
    const { code, output } = await lint(t, source);
    t.is(code, 0, output);
  },
);

async function checkImports(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, files);
  return run(['node', script('check-imports.mjs'), folder], folder);
}

const wrongWay: readonly (readonly [string, string, string])[] = [
  ['src/core/a.ts', "import { b } from '../b.js';", 'src/b.ts'],
  ['src/core/a.ts', "import { b } from '../../native/kernels.js';", 'native/kernels.ts'],
  ['src/core/deep/a.ts', "import type { B } from '../../../actors/b.js';", 'actors/b.ts'],
  ['src/a.ts', "export { b } from '../native/addon.js';", 'native/addon.ts'],
  ['actors/a.ts', "import {\n  b,\n  c,\n} from '../src/index.js';", 'src/index.ts'],
  ['native/a.ts', "import { b } from '../src/b.js';", 'src/b.ts'],
  ['examples/a.ts', "import { b } from '../src/index.js';", 'src/index.ts'],
  ['bench/a.ts', "import { b } from '../src/index.js';", 'src/index.ts'],
  ['actors/a.ts', "const b = await import('../src/index.js');", 'src/index.ts'],
];
for (const [file, source, target] of wrongWay) {
  test.serial(`${file} may not import ${target}: ${source.split(/\W/)[0]}`, async (t) => {
    const { code, output } = await checkImports(t, { [file]: source, [target]: 'export {};' });
    t.is(code, 1);
    t.is(output.trim(), `${file} may not import ${target}: imports point one way`);
  });
}

const doors: readonly (readonly [string, string])[] = [
  ["import { wrap } from 'comlink';", 'actors/rpc.ts'],
  ["import adapter from 'comlink/dist/umd/node-adapter.js';", 'actors/rpc.ts'],
  ["import load from 'node-gyp-build';", 'native/addon.ts'],
  ["const load = require('node-gyp-build');", 'native/addon.ts'],
  ["import { isMainThread, Worker } from 'node:worker_threads';", 'actors/thread.ts'],
];
for (const [source, door] of doors) {
  test.serial(`only ${door} may say: ${source}`, async (t) => {
    t.is((await checkImports(t, { [door]: source })).code, 0);
    const { code, output } = await checkImports(t, { 'src/other.ts': source });
    t.is(code, 1);
    t.true(output.includes(door), output);
  });
}

test.serial('a circle of imports is named', async (t) => {
  const { code, output } = await checkImports(t, {
    'src/core/a.ts': "import { b } from './b.js';",
    'src/core/b.ts': "import { c } from './c.js';",
    'src/core/c.ts': "export { a } from './a.js';",
  });
  t.is(code, 1);
  t.is(
    output.trim(),
    'imports in a circle: src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
  );
});

test.serial('imports that point the right way pass, and words in strings are none', async (t) => {
  const { code, output } = await checkImports(t, {
    'src/core/a.ts': "import type { B } from './b.js';\nexport const text = 'from comlink';",
    'src/core/b.ts': "import type { A } from './a.js';",
    'src/store.ts': "import { a } from './core/a.js';\nimport { b } from '../actors/b.js';",
    'actors/b.ts':
      "import type { Worker } from 'node:worker_threads';\nimport '../native/kernels.js';",
    'native/kernels.ts': "import './addon.js';",
    'native/addon.ts': '',
    'examples/a.ts': "import { zeros } from 'tensorkv';",
  });
  t.is(code, 0, output);
});

const leaks: readonly (readonly [string, string, RegExp])[] = [
  ['src/a.ts', 'export const now = Date.now();', /src\/a\.ts:1 reads the wall clock/],
  ['README.md', ['\nsee ', 'home', 'someone', 'notes'].join('/'), /README\.md:2 names a folder/],
  ['.npmrc', ['registry=https:', '', 'registry.example.org'].join('/'), /names a package registry/],
  ['package-lock.json', '{ "resolved": "x" }', /package-lock\.json:1 holds an address/],
];
for (const [file, source, message] of leaks) {
  test.serial(`the text check fails for ${message.source}`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeFiles(folder, { [file]: source, 'src/fine.ts': 'export {};' });
    t.is((await run(['git', 'init', '--quiet'], folder)).code, 0);
    const { code, output } = await run(['node', script('check-text.mjs'), folder], folder);
    t.is(code, 1);
    t.regex(output, message);
  });
}

test.serial('pruning removes compiled files without a source, and nothing else', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, {
    'src/kept.ts': '',
    'dist/src/kept.js': '',
    'dist/src/kept.js.map': '',
    'dist/src/kept.d.ts': '',
    'dist/src/gone.js': '',
    'dist/src/gone.js.map': '',
    'dist/old/gone.d.ts': '',
  });
  t.is((await run(['node', script('prune-dist.mjs'), folder], folder)).code, 0);
  t.deepEqual(await readdir(join(folder, 'dist')), ['src']);
  t.deepEqual((await readdir(join(folder, 'dist/src'))).toSorted(), [
    'kept.d.ts',
    'kept.js',
    'kept.js.map',
  ]);
});
