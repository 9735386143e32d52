import * as nodeFs from 'node:fs';
import {
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openCheckpoint, writeCheckpoint } from '../../actors/checkpoint-file.js';
import {
  createKVStore,
  launch,
  ones,
  optim,
  registerOptimizer,
  zeros,
  type KVStore,
} from '../../src/index.js';
import { temporaryFolder } from '../helpers/temporary.js';
import { rejects } from '../helpers/workers.js';

// A test for each sentence of SECURITY.md that says what a caller may rely on.

const elsewhere = [
  'data:text/javascript,export default () => {};',
  'https://example.com/updater.js',
  'node:fs',
  'blob:nodedata:0',
  'updater.js',
];

async function open(t: { teardown(end: () => Promise<void>): void }): Promise<KVStore> {
  const kv = await createKVStore('local', { coordinator: 'inline' });
  t.teardown(() => kv.close());
  return kv;
}

for (const url of elsewhere) {
  test(`modules come from files, not from ${url}`, async (t) => {
    const kv = await open(t);
    const says = ['file:', url];
    await rejects(t, kv.setUpdater(url), { code: 'bad_updater', says });
    await rejects(t, registerOptimizer('stranger', url), { code: 'bad_optimizer', says });
    await rejects(t, launch(url, { devices: 1 }), { code: 'bad_argument', says });
  });
}

test('S16: a checkpoint that names a module as its optimizer imports nothing', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'store');
  const module = join(folder, 'module.mjs');
  writeFileSync(
    module,
    `import { writeFileSync } from 'node:fs'; writeFileSync('${path}.ran', '');`,
  );
  const kv = await open(t);
  await kv.init('w', ones(2));
  await kv.setOptimizer(optim.sgd({ lr: 1 }));
  await kv.save(path);
  const { metadata } = openCheckpoint(path);
  const record = metadata.get('tensorkv')!.replace('"sgd"', JSON.stringify(`file://${module}`));
  writeCheckpoint(path, [weights()], new Map([['tensorkv', record]]));
  const other = await open(t);
  await rejects(t, other.load(path), { code: 'unknown_optimizer', says: ['module.mjs'] });
  t.deepEqual(other.keys, []);
  t.deepEqual(readdirSync(folder).sort(), ['module.mjs', 'store']);
});

function weights() {
  const bytes = new Uint8Array(ones(2).data.slice().buffer);
  return { name: 'weights/w', dtype: 'float32', shape: [2], bytes } as const;
}

test('S16: a file is its owner’s alone, and a link in its place is replaced', async (t) => {
  const folder = temporaryFolder(t);
  const [target, path] = [join(folder, 'precious'), join(folder, 'store')];
  writeFileSync(target, 'precious');
  symlinkSync(target, path);
  const kv = await open(t);
  await kv.init('w', zeros(2));
  await kv.save(path);
  t.is(readFileSync(target, 'utf8'), 'precious');
  t.false(lstatSync(path).isSymbolicLink());
  t.is(statSync(path).mode & 0o777, 0o600);
});

test('S16: where somebody is faster to take the temporary name, nothing is written', (t) => {
  const folder = temporaryFolder(t);
  const target = join(folder, 'precious');
  writeFileSync(target, 'precious');
  const openSync: typeof nodeFs.openSync = (path, flags, mode) => {
    if (String(path).endsWith('.tmp')) symlinkSync(target, path);
    return nodeFs.openSync(path, flags, mode);
  };
  const fs = { ...nodeFs, openSync };
  t.throws(() => writeCheckpoint(join(folder, 'store'), [weights()], new Map(), fs), {
    code: 'bad_checkpoint',
    message: /EEXIST/,
  });
  t.is(readFileSync(target, 'utf8'), 'precious');
});
