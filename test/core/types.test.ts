import { inspect } from 'node:util';
import test from 'ava';
import { storeType, type Consistency } from '../../src/core/types.js';
import { KVStoreError } from '../../src/index.js';

const instanceOf = KVStoreError;

/** Row S18 of the features: the names, for whom a store is, and when its rounds close. */
const table: readonly (readonly [string, boolean, Consistency])[] = [
  ['local', false, 'sync'],
  ['local_update_cpu', false, 'sync'],
  ['local_allreduce_cpu', false, 'sync'],
  ['device', false, 'sync'],
  ['local_allreduce_device', false, 'sync'],
  ['dist', true, 'sync'],
  ['dist_sync', true, 'sync'],
  ['dist_device_sync', true, 'sync'],
  ['dist_sync_device', true, 'sync'],
  ['dist_async', true, 'async'],
  ['dist_async_device', true, 'async'],
  ['dist_ssp', true, 'ssp'],
];
for (const [name, distributed, consistency] of table) {
  test(`S18: ${name} is a store type in any case, and keeps its name`, (t) => {
    const one = name.includes('device') ? 'values' : 'none';
    const compression = distributed ? 'workers' : one;
    const onDevices = name.includes('device');
    const expected = { name, distributed, consistency, compression, onDevices };
    t.deepEqual(storeType(name), expected);
    t.deepEqual(storeType(name.toUpperCase()), expected);
  });
}

for (const name of [
  '',
  'locals',
  ' local',
  'dist_',
  'constructor',
  null,
  undefined,
  1,
  ['local'],
]) {
  test(`S18: ${inspect(name)} is no store type, and the message lists those that are`, (t) => {
    t.throws(() => storeType(name), {
      instanceOf,
      code: 'unknown_type',
      message: /^expected a store type \(local, .*dist_ssp\), got /,
    });
  });
}
