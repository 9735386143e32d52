import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createKVStore, full, type KVStore } from '../../src/index.js';

/** When a saver ends: killed at a file call of its own, or after some saves, or when its parent kills it. */
export interface SaverPlan {
  readonly path: string;
  readonly coordinator: 'thread' | 'inline';
  readonly killAt?: FileCall;
  readonly saves?: number;
}

export interface FileCall {
  /** The how-manieth of all file calls once it has loaded. */
  readonly count: number;
  readonly moment: 'before' | 'half-way' | 'after';
}

const keys = ['a', 'b'];
const length = 20_000;
const calls = [
  'readdirSync',
  'rmSync',
  'openSync',
  'writeSync',
  'fsyncSync',
  'closeSync',
  'renameSync',
] as const;
type Methods = Record<string, (...args: unknown[]) => unknown>;

const write = fs.writeSync.bind(fs);
const say = (line: string): void => void write(1, `${line}\n`);

function killAt({ count, moment }: FileCall): void {
  let left = count;
  const methods = fs as unknown as Methods;
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  for (const name of calls) {
    const inner = methods[name]!;
    methods[name] = (...args) => {
      const isLast = --left === 0;
      if (isLast && moment === 'before') die();
      if (isLast && moment === 'half-way' && name === 'writeSync') {
        const [file, bytes, offset, size] = args as [number, Uint8Array, number, number];
        write(file, bytes, offset, size >> 1);
        die();
      }
      const result = inner(...args);
      if (isLast) die();
      return result;
    };
  }
  syncBuiltinESMExports();
}

/** How many pushes are in a store, or what is wrong with it: every element says it. */
async function pushesIn(kv: KVStore): Promise<number> {
  const views = await kv.pull(keys, { view: true });
  const count = views[0]!.data[0]!;
  for (const view of views) {
    if (view.version !== count) throw new Error(`version ${view.version} of ${count} pushes`);
    if (!view.data.every((each) => each === count)) throw new Error(`torn at ${count} pushes`);
    view.release();
  }
  return count;
}

/** Goes on from the file, if there is one: pushes, saves, says so, again and again. */
async function run({
  path,
  coordinator,
  killAt: kill,
  saves = Infinity,
}: SaverPlan): Promise<void> {
  const kv = await createKVStore('local', { coordinator });
  if (fs.existsSync(path)) {
    await kv.load(path);
  } else {
    await kv.init(
      keys,
      keys.map(() => full(length, 0)),
    );
    await kv.setOptimizer('sgd', { lr: 1, momentum: 1 });
  }
  let count = await pushesIn(kv);
  say(`loaded ${count}`);
  if (kill) killAt(kill);
  for (let i = 0; i < saves; i++) {
    // The first push gives a momentum that adds one ever after: a file without it shows.
    const value = full(length, count === 0 ? -1 : 0);
    await kv.push(
      keys,
      keys.map(() => value),
    );
    await kv.save(path);
    say(`saved ${++count}`);
  }
  await kv.close();
}

await run(JSON.parse(process.argv[2]!) as SaverPlan);
