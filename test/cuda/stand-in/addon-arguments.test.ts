import test from 'ava';
import type { AddonCuda } from '../../../native/cuda/addon-cuda.js';
import { standIn, wordsOf } from './support.js';

const cuda = standIn();
const floats = new Float32Array(4);
const words = new Float64Array(4);
const nothing = () => undefined;
const id = cuda.allocate(0, 16);
const wrong: unknown[] = [
  undefined,
  null,
  -1,
  0.5,
  NaN,
  Infinity,
  2 ** 60,
  '0',
  {},
  [],
  Symbol('a'),
  1n,
  () => 0,
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new BigInt64Array(2),
];

/** A good call of every function, and for each argument whether any wrong one is refused. */
const calls: { readonly [K in keyof AddonCuda]?: Parameters<AddonCuda[K]> } = {
  deviceInfo: [0],
  allocate: [0, 16],
  retain: [id],
  release: [id],
  watch: [{}],
  forget: [1],
  arrayInfo: [id],
  upload: [floats, id, 0],
  download: [id, 0, floats],
  downloadAsync: [id, 0, floats, nothing],
  copy: [id, 0, id, 8, 4],
  broadcast: [id, 0, words, 4],
  whenReady: [id, nothing],
  synchronize: [0],
  run: [0, new Float64Array(wordsOf('sum', 1, [[id, 0]], [[id, 4]])), 1],
  exportHandle: [id],
  importHandle: [0, new Uint8Array(64), 4],
  loadModule: [0, new Uint8Array(4)],
  compile: ['__global__ void scale()', []],
  kernel: [0, 'scale'],
  launch: [0, [1, 1, 1], [1, 1, 1], 0, words],
};

const codes = ['bad_argument', 'peer_dead', 'memory_limit', 'cuda_unavailable'];

for (const [name, args] of Object.entries(calls)) {
  test(`${name} refuses arguments of other kinds`, (t) => {
    const call = cuda[name as keyof AddonCuda] as (...values: unknown[]) => unknown;
    const attempt = (values: readonly unknown[]): void => {
      let thrown: unknown;
      try {
        call(...values);
        return;
      } catch (error) {
        thrown = error;
      }
      t.true(thrown instanceof Error);
      const { code, message } = thrown as NodeJS.ErrnoException;
      t.true(codes.includes(code!), `${String(code)}: ${message}`);
    };
    for (let at = 0; at < args.length; at++) {
      for (const value of wrong) attempt([...args.slice(0, at), value, ...args.slice(at + 1)]);
      const missing = t.throws(() => call(...args.slice(0, at)));
      t.is((missing as NodeJS.ErrnoException).code, 'bad_argument');
    }
  });
}

test('ranges outside of an allocation are refused', (t) => {
  const refused: (() => void)[] = [
    () => cuda.upload(new Float32Array(5), id, 0),
    () => cuda.upload(floats, id, 4),
    () => cuda.download(id, 17, new Uint8Array(0)),
    () => cuda.download(id, 2 ** 53, floats),
    () => cuda.copy(id, 0, id, 8, 9),
    () => cuda.copy(id, 0, id, 4, 8),
    () => cuda.broadcast(id, 0, new Float64Array([id, 8]), 9),
    () => cuda.broadcast(id, 0, new Float64Array([id, 4]), 8),
    () => cuda.broadcast(id, 13, new Float64Array([id, 0]), 4),
    () => cuda.broadcast(id, 0, new Float64Array([id]), 4),
    () => cuda.broadcast(id, 0, new Float64Array([id, 0.5]), 4),
    () => cuda.broadcast(id, 0, new Float64Array([id, Infinity]), 4),
    () => cuda.run(0, new Float64Array(wordsOf('sum', 5, [[id, 0]], [[id, 0]])), 1),
    () => cuda.run(0, new Float64Array(wordsOf('sum', 1, [[id, 0]], [[id, 2]])), 1),
    () => cuda.run(0, new Float64Array(0), 1),
    () => cuda.synchronize(2),
  ];
  for (const call of refused) {
    t.is((t.throws(call) as NodeJS.ErrnoException).code, 'bad_argument');
  }
});
