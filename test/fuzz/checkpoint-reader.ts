import assert from 'node:assert/strict';
import * as nodeFs from 'node:fs';
import {
  byteView,
  openCheckpoint,
  totalBytes,
  type FileSystem,
} from '../../actors/checkpoint-file.js';
import { savedStore } from '../../actors/checkpoint.js';
import { allocate } from '../../src/core/memory.js';
import { KVStoreError } from '../../src/index.js';
import { sizeOf } from '../../src/core/shape.js';

const place = 'a file in memory';
let current: Uint8Array = new Uint8Array();

/** A file system of one file, the current one, that can only be read. */
const files: FileSystem = {
  ...nodeFs,
  openSync: () => 3,
  closeSync: () => undefined,
  fstatSync: (() => ({ size: current.length })) as unknown as FileSystem['fstatSync'],
  readSync: ((_: number, into: Uint8Array, at: number, length: number, from: number) => {
    const piece = current.subarray(from, from + length);
    into.set(piece, at);
    return piece.length;
  }) as FileSystem['readSync'],
};

/**
 * Reads all that a file holds, as `load` does before it changes a store; it must be sound, or refused
 * with `bad_checkpoint`. What it says that it holds is no more than it has: so much is all that is
 * allocated.
 */
export function readFile(file: Uint8Array): 'read' | 'refused' {
  current = file;
  try {
    const checkpoint = openCheckpoint(place, files);
    const total = totalBytes(checkpoint.tensors.values());
    assert(total <= file.length, `${file.length} bytes are said to hold ${total}`);
    savedStore(checkpoint);
    for (const tensor of checkpoint.tensors.values()) {
      checkpoint.read(tensor, byteView(allocate(tensor.dtype, sizeOf(tensor.shape))));
    }
    checkpoint.close();
    return 'read';
  } catch (error) {
    if (error instanceof KVStoreError && error.code === 'bad_checkpoint') return 'refused';
    throw error;
  }
}
