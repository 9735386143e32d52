import * as nodeFs from 'node:fs';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import {
  byteView,
  openCheckpoint,
  writeCheckpoint,
  type FileSystem,
  type StoredTensor,
} from '../../actors/checkpoint-file.js';
import { KVStoreError } from '../../src/index.js';
import { temporaryFolder } from '../helpers/temporary.js';

const instanceOf = KVStoreError;
const metadata = new Map([['note', 'kept']]);

/** Two small tensors, one of them on shared memory. */
function tensors(first = 1): StoredTensor[] {
  const shared = new Float64Array(new SharedArrayBuffer(32));
  shared.set([first, 2, 3, 4]);
  const bits = Uint16Array.of(1, 2, 3);
  return [
    { name: 'bits', dtype: 'bfloat16', shape: [3], bytes: byteView(bits) },
    { name: 'shared', dtype: 'float64', shape: [2, 2], bytes: byteView(shared) },
  ];
}

function firstOf(path: string): number {
  const checkpoint = openCheckpoint(path);
  const into = new Float64Array(new SharedArrayBuffer(32));
  checkpoint.read(checkpoint.tensors.get('shared')!, byteView(into));
  checkpoint.close();
  return into[0]!;
}

test('S16: a file gives back what was written, and leaves nothing beside it', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  writeCheckpoint(path, tensors(), metadata);
  t.deepEqual(readdirSync(folder), ['a.safetensors']);
  const checkpoint = openCheckpoint(path);
  t.is(checkpoint.metadata.get('note'), 'kept');
  const bits = new Uint16Array(3);
  checkpoint.read(checkpoint.tensors.get('bits')!, byteView(bits));
  checkpoint.close();
  t.deepEqual([...bits], [1, 2, 3]);
  writeCheckpoint(path, tensors(7), metadata);
  t.is(firstOf(path), 7);
});

test('S16: the file is durable before it gets its name, and the name after', (t) => {
  const path = join(temporaryFolder(t), 'a.safetensors');
  const calls: string[] = [];
  const open = new Map<number, string>();
  const fs: FileSystem = {
    ...nodeFs,
    openSync: ((name: string, flags: string) => {
      const file = nodeFs.openSync(name, flags);
      open.set(file, name === dirname(path) ? 'folder' : name === path ? 'file' : 'temporary');
      return file;
    }) as FileSystem['openSync'],
    writeSync: ((file: number, ...rest: [Uint8Array, number, number]) => {
      calls.push(`write ${open.get(file)}`);
      return nodeFs.writeSync(file, ...rest);
    }) as FileSystem['writeSync'],
    fsyncSync: (file) => {
      calls.push(`fsync ${open.get(file)}`);
      nodeFs.fsyncSync(file);
    },
    renameSync: (from, to) => {
      calls.push('rename');
      nodeFs.renameSync(from, to);
    },
  };
  writeCheckpoint(path, tensors(), metadata, fs);
  const write = 'write temporary';
  t.deepEqual(calls, [write, write, write, 'fsync temporary', 'rename', 'fsync folder']);
});

for (const step of ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync'] as const) {
  test(`S16: when ${step} fails, the old file stays and nothing lies beside it`, (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'a.safetensors');
    writeCheckpoint(path, tensors(1), metadata);
    const fs: FileSystem = {
      ...nodeFs,
      [step]: (...args: never[]) => {
        if (step === 'closeSync') (nodeFs.closeSync as (...args: never[]) => void)(...args);
        throw new Error('the disk is full');
      },
    };
    const error = t.throws(() => writeCheckpoint(path, tensors(2), metadata, fs), {
      instanceOf,
      code: 'bad_checkpoint',
    });
    t.true(error.message.includes('a.safetensors') && error.message.includes('the disk is full'));
    t.deepEqual(readdirSync(folder), ['a.safetensors']);
    t.is(firstOf(path), 1);
  });
}

test('S16: a write that moves less than it was asked to goes on', (t) => {
  const path = join(temporaryFolder(t), 'a.safetensors');
  const fs: FileSystem = {
    ...nodeFs,
    writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number) =>
      nodeFs.writeSync(file, bytes, offset, Math.min(length, 5))) as FileSystem['writeSync'],
  };
  writeCheckpoint(path, tensors(9), metadata, fs);
  t.is(firstOf(path), 9);
});

test('S16: a file that is cut off anywhere is refused', (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'a.safetensors');
  writeCheckpoint(path, tensors(), metadata);
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(path, whole.subarray(0, length));
    t.throws(() => openCheckpoint(path), { instanceOf, code: 'bad_checkpoint' }, `${length} bytes`);
  }
  writeFileSync(path, Buffer.concat([whole, Buffer.of(0)]));
  t.throws(() => openCheckpoint(path), { instanceOf, code: 'bad_checkpoint' });
});

test('S16: what cannot be read is refused with its path', (t) => {
  const folder = temporaryFolder(t);
  for (const path of [join(folder, 'nothing'), folder]) {
    const expected = { instanceOf, code: 'bad_checkpoint' };
    const error = t.throws(() => openCheckpoint(path), expected);
    t.true(error.message.includes(JSON.stringify(path).slice(1, 20)));
  }
});
