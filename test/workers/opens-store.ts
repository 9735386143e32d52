import { createKVStore } from '../../src/index.js';

// A whole program: run by itself, with options of Node or V8.
await (await createKVStore()).close();
