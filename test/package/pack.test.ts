import { existsSync } from 'node:fs';
import { readdir, readFile, symlink } from 'node:fs/promises';
import { join, sep } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { root, run, temporaryFolder, writeFiles } from './project.js';

/** What a program of a user does: one push, one pull, and a look at what was loaded for it. */
const program = `
  const kv = await createKVStore('local');
  await kv.init('w', zeros([2]));
  await kv.push('w', [tensor([1, 2]), tensor([10, 20])]);
  const w = await kv.pull('w');
  await kv.close();
  const addons = process.report.getReport().sharedObjects;
  console.log(JSON.stringify({ w: w.toArray(), addons: addons.filter((o) => /tensorkv.*node$/.test(o)) }));
`;
const names = '{ createKVStore, tensor, zeros }';

const typed = `
  import { createKVStore, KVStoreError, optim, zeros, type Tensor } from 'tensorkv';
  import { checkSums, type Violation } from 'tensorkv/stress';
  export const violation: Violation | undefined = checkSums([], { count: 0, ofDevice: [] });
  export async function pulled(): Promise<Tensor> {
    await using kv = await createKVStore('local', { devices: 2 });
    await kv.setOptimizer(optim.sgd({ lr: 0.1 }));
    // @ts-expect-error: there is no such option.
    await createKVStore('local', { device: 2 });
    return kv.pull('w', { out: zeros([2]) });
  }
  export const code: string = new KVStoreError('closed', 'x').code;
`;

const files = {
  'package.json': '{ "name": "user", "private": true }',
  'program.mjs': `import ${names} from 'tensorkv';\n${program}`,
  'history.mjs': `import { checkSums, lanesFor } from 'tensorkv/stress';\nconsole.log(checkSums([], lanesFor(2, 3)));`,
  'program.cjs': `const ${names} = require('tensorkv');\n(async () => {${program}})();`,
  'typed.mts': typed,
  'typed.cts': typed,
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: ['node'],
    },
    files: ['typed.mts', 'typed.cts'],
  }),
};

/** Whether this clone has an addon: the package must have one just then. */
const hasAddon =
  process.env['TENSORKV_NATIVE'] !== 'off' &&
  existsSync(join(root, 'build', 'Release', 'tensorkv.node'));

/** An empty project with the package of this clone installed. */
async function installed(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t);
  // The scripts of packing build into dist, which other tests run from just now; their part that
  // matters here is the binary.
  if (hasAddon) await succeed(t, ['node', 'scripts/build-native.mjs', '--prebuild'], root);
  await succeed(t, ['npm', 'pack', '--ignore-scripts', '--pack-destination', folder], root);
  const [tarball] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
  await writeFiles(folder, files);
  await succeed(
    t,
    ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball!}`],
    folder,
  );
  return folder;
}

async function succeed(
  t: ExecutionContext,
  command: readonly [string, ...string[]],
  folder: string,
): Promise<string> {
  const { code, output, stdout } = await run(command, folder, env);
  t.is(code, 0, `${command.join(' ')}: ${output}`);
  return stdout;
}

// npm hands the settings of the npm that runs this test down to the one that it starts.
const inherited = Object.entries(process.env).filter(
  ([name]) => !/^npm_|^NODE_OPTIONS$/.test(name),
);
const env = { ...Object.fromEntries(inherited), TENSORKV_NATIVE: hasAddon ? 'require' : 'off' };

test('the package installs into an empty project and works there', async (t) => {
  t.timeout(120_000);
  const folder = await installed(t);
  const home = join(folder, 'node_modules', 'tensorkv');

  for (const file of ['program.mjs', 'program.cjs']) {
    const stdout = await succeed(t, ['node', file], folder);
    const { w, addons } = JSON.parse(stdout) as { w: number[]; addons: string[] };
    t.deepEqual(w, [11, 22], file);
    const prebuilds = `${join(home, 'prebuilds', `${process.platform}-${process.arch}`)}${sep}`;
    t.is(addons.length, hasAddon ? 1 : 0, file);
    t.true(addons.every((addon) => addon.startsWith(prebuilds)));
  }

  t.is(await succeed(t, ['node', 'history.mjs'], folder), 'undefined\n');
  const stress = ['stress', '--type', 'dist_sync', '--ops', '50'];
  const told = await succeed(t, [join('node_modules', '.bin', 'tensorkv'), ...stress], folder);
  t.regex(told, /\n1 passed, 0 failed\n$/);

  await symlink(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'));
  await succeed(t, ['node', join(root, 'node_modules', 'typescript', 'bin', 'tsc')], folder);

  const inside = await readdir(home);
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'];
  t.deepEqual(inside.filter((name) => name !== 'prebuilds').toSorted(), expected);
  t.deepEqual((await readdir(join(home, 'dist'))).toSorted(), ['actors', 'native', 'src']);

  const map = await readFile(join(home, 'dist', 'src', 'bundle.js.map'), 'utf8');
  const { sources, sourcesContent } = JSON.parse(map) as Record<string, string[]>;
  const store = sources!.findIndex((each) => each.endsWith('/src/store.ts'));
  t.true(
    sourcesContent![store]!.includes('createKVStore'),
    'the source map has its sources inside',
  );
});
