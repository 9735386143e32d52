import { createHash } from 'node:crypto';
import { createKVStore, full, schedule, tensor, zeros, type KVStore } from '../../src/index.js';
import { optimizerNames } from '../../src/core/optimizers/registry.js';

/** Ways to train, by name: each is stopped after step 5 and goes on in another process. */
export const courses: Readonly<Record<string, readonly [string, object]>> = {
  ...Object.fromEntries(optimizerNames.map((name) => [name, [name, {}]])),
  'sgd with everything': ['sgd', { momentum: 0.9, multiPrecision: true, ema: 0.9 }],
  'adam with masters': ['adam', { multiPrecision: true, ema: 0.5, beginNumUpdate: 3 }],
  'rmsprop, centred': ['rmsprop', { centered: true }],
  'lamb without masters': ['lamb', {}],
  ...Object.fromEntries(
    Object.entries({
      constant: schedule.constant({ baseLr: 0.1 }),
      factor: schedule.factor({ baseLr: 0.1, step: 3, factor: 0.5 }),
      multiFactor: schedule.multiFactor({ baseLr: 0.1, steps: [2, 7], factor: 0.1 }),
      poly: schedule.poly({ baseLr: 0.1, maxUpdate: 9, warmupSteps: 2 }),
      cosine: schedule.cosine({ baseLr: 0.1, maxUpdate: 9, warmupSteps: 2 }),
      inverseSqrt: schedule.inverseSqrt({ baseLr: 0.1, warmupSteps: 3 }),
      wsd: schedule.wsd({ baseLr: 0.1, stableSteps: 3, decaySteps: 4 }),
      oneCycle: schedule.oneCycle({ baseLr: 0.1, maxUpdate: 9 }),
      plateau: schedule.plateau({ baseLr: 0.1, patience: 0 }).observe(2, 1).observe(7, 1),
    }).map(([name, made]) => [`schedule ${name}`, ['sgd', { schedule: made, momentum: 0.9 }]]),
  ),
};

const keys = ['late', 'm', 'h', 'b'];
const like = [
  { shape: [4, 6], dtype: 'float32' },
  { shape: [7, 5], dtype: 'float64' },
  { shape: [3, 9], dtype: 'float16' },
  { shape: [9, 3], dtype: 'bfloat16' },
] as const;

/** A new store with its keys, ready for step 1. */
export async function begin(course: string): Promise<KVStore> {
  const [name, options] = courses[course]!;
  const kv = await createKVStore('local', { coordinator: 'inline' });
  await kv.init(
    keys,
    like.map((each, k) => full(each.shape, 0.5 + k / 8, { dtype: each.dtype })),
  );
  const lr = 'schedule' in options ? {} : { lr: 0.05 };
  await kv.setOptimizer(name, { ...lr, rescaleGrad: 0.5, lrMult: { m: 2 }, ...options });
  return kv;
}

/** Steps `first` to `last`; the key "late" is left out of the first three. */
export async function train(kv: KVStore, first: number, last: number): Promise<void> {
  for (let step = first; step <= last; step++) {
    const from = step <= 3 ? 1 : 0;
    const values = like.map(({ shape, dtype }, k) =>
      tensor(
        Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(step * 7 + k * 3 + i)),
        { shape, dtype },
      ),
    );
    await kv.push(keys.slice(from), values.slice(from));
  }
}

/** A digest of every bit that a caller can see. */
export async function digest(kv: KVStore): Promise<string> {
  const hash = createHash('sha256');
  for (const [k, key] of keys.entries()) {
    const out = await kv.pull(key, { out: zeros(like[k]!.shape, { dtype: like[k]!.dtype }) });
    hash.update(new Uint8Array(out.data.buffer, out.data.byteOffset, out.data.byteLength));
  }
  return hash.digest('hex');
}

/** As a program: loads each course's file of a folder, takes steps 6 to 10, prints the digests. */
const [folder] = process.argv.slice(2);
if (folder !== undefined && process.argv[1]?.endsWith('train.js')) {
  const digests: Record<string, string> = {};
  for (const course of Object.keys(courses)) {
    const kv = await createKVStore('local', { coordinator: 'inline' });
    await kv.load(`${folder}/${course}.safetensors`);
    await train(kv, 6, 10);
    digests[course] = await digest(kv);
    await kv.close();
  }
  process.stdout.write(JSON.stringify(digests));
}
