import { createKVStore, ones, zeros } from '../../src/index.js';

// A process of its own, made by `fork`: its store is no one else's.
const kv = await createKVStore('dist_sync');
await kv.init(0, zeros(1000));
await kv.setOptimizer('sgd', { lr: 1 });
for (let i = 0; i < 20; i++) await kv.push(0, ones(1000));
process.send!((await kv.pull(0)).data[999]);
await kv.close();
process.disconnect();
