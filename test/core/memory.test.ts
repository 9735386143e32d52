import test from 'ava';
import {
  lineBytes,
  padToLine,
  slabBytes,
  smallTensorBytes,
  staggerOf,
  statusBytes,
  statusCounter,
  statusWord,
} from '../../src/core/layout.js';
import { machineBytes, MemoryBudget } from '../../src/core/memory.js';
import { KVStoreError, zeros, type Tensor } from '../../src/index.js';
import { runNode } from '../native/child.js';

const instanceOf = KVStoreError;
const library = new URL('../../src/index.js', import.meta.url).href;

const lengths = [0, 1, 15, 16, 17, 1023, 1024, 1025, 100_000];

test('V1: every tensor starts on a cache line, whatever its length and dtype', (t) => {
  for (const dtype of ['float32', 'float64', 'int32'] as const) {
    for (const length of lengths) {
      t.is(zeros([length], { dtype }).data.byteOffset % lineBytes, 0, `${length} ${dtype}`);
    }
  }
});

/** The cache lines that a tensor touches, as numbers in its buffer. */
function linesOf({ data }: Tensor): number[] {
  const first = data.byteOffset / lineBytes;
  return Array.from({ length: padToLine(data.byteLength) / lineBytes }, (_, i) => first + i);
}

test('V1: small tensors share slabs, but no cache line', (t) => {
  const tensors = Array.from({ length: 2000 }, (_, i) => zeros([1 + (i % 40)]));
  const seen = new Map<unknown, Set<number>>();
  for (const each of tensors) {
    const lines = seen.get(each.data.buffer) ?? new Set();
    seen.set(each.data.buffer, lines);
    for (const line of linesOf(each)) {
      if (lines.has(line)) t.fail(`two tensors on line ${line}`);
      lines.add(line);
    }
  }
  const slabs = [...seen.keys()] as SharedArrayBuffer[];
  t.true(slabs.length < 10, `${slabs.length} slabs`);
  t.true(slabs.every(({ byteLength }) => byteLength === slabBytes));
});

test('V1: a tensor above the limit of small ones has a buffer of its own', (t) => {
  const [last, first, next] = [smallTensorBytes, smallTensorBytes + 4, smallTensorBytes + 4].map(
    (bytes) => zeros([bytes / 4]).data.buffer,
  );
  t.is(last!.byteLength, slabBytes);
  t.not(first, next);
  t.true(first!.byteLength < slabBytes);
});

test('V1: large tensors of one size start in different cache sets', (t) => {
  const offsets = Array.from({ length: 16 }, () => zeros([2000]).data.byteOffset);
  t.is(new Set(offsets).size, 16);
  t.deepEqual(
    offsets.toSorted((a, b) => a - b),
    Array.from({ length: 16 }, (_, n) => staggerOf(n)),
  );
});

test('V1: staggering repeats, stays on cache lines and below a page', (t) => {
  for (let n = 0; n < 40; n++) {
    t.is(staggerOf(n) % lineBytes, 0);
    t.true(staggerOf(n) < 4096);
    t.is(staggerOf(n), staggerOf(n + 16));
  }
});

test('padToLine rounds up to whole cache lines', (t) => {
  t.deepEqual([0, 1, 64, 65].map(padToLine), [0, 64, 64, 128]);
});

test('the words and counters of the status block lie inside of it and apart', (t) => {
  const words = Object.values(statusWord).map((word) => [word * 4, word * 4 + 4] as const);
  const counters = Object.values(statusCounter).map((word) => [word * 8, word * 8 + 8] as const);
  const ranges = [...words, ...counters].toSorted(([a], [b]) => a - b);
  ranges.forEach(([begin], i) => t.true(i === 0 || begin >= ranges[i - 1]![1]));
  t.true(ranges.at(-1)![1] <= statusBytes);
});

test('V1: new tensors are zero although slabs are used again and again', (t) => {
  for (let i = 0; i < 200; i++) {
    const fresh = zeros([1024]);
    t.true(fresh.data.every((x) => x === 0));
    fresh.fill(i + 1);
  }
});

test('a tensor larger than the machine is refused before it is allocated', (t) => {
  const error = t.throws(() => zeros([1e6, 1e6]), { instanceOf, code: 'memory_limit' });
  t.regex(error.message, /^a tensor buffer needs 40000\d+ bytes, but this thread holds \d+ of at /);
});

test('a refused tensor takes nothing of the budget', (t) => {
  for (let i = 0; i < 100; i++) {
    t.throws(() => zeros([1e6, 1e6]), { instanceOf, code: 'memory_limit' });
  }
  t.notThrows(() => zeros([1000, 1000]));
});

test('the machine has memory, and a budget of it is a whole number of bytes', (t) => {
  t.true(Number.isSafeInteger(machineBytes()) && machineBytes() > 2 ** 26);
});

test('a budget counts what is taken and given back, up to its limit', (t) => {
  const budget = new MemoryBudget(100, 'the store');
  budget.reserve(60, 'a value');
  budget.reserve(40, 'a value');
  t.is(budget.usedBytes, 100);
  t.throws(() => budget.reserve(1, 'the value of "bias"', 'bias'), {
    instanceOf,
    code: 'memory_limit',
    message: 'the value of "bias" needs 1 bytes, but the store holds 100 of at most 100 bytes',
  });
  t.is(budget.usedBytes, 100);
  budget.release(40);
  budget.reserve(40, 'a value');
  t.is(budget.usedBytes, 100);
});

test('a budget error carries the key that asked', (t) => {
  const budget = new MemoryBudget(0, 'the store');
  const error = t.throws(() => budget.reserve(8, 'a value', 7), { instanceOf });
  t.is(error.key, 7);
});

test('the budget of a thread gets back what is collected', async (t) => {
  // Three times what the machine has, in tensors of 1 GiB that nobody keeps. Pages that nobody
  // touches cost nothing, so this is quick.
  const source = `
    import { totalmem } from 'node:os';
    import { setImmediate } from 'node:timers/promises';
    import { zeros } from ${JSON.stringify(library)};
    const elements = 2 ** 28;
    for (let i = 0; i < (3 * totalmem()) / (4 * elements); i++) {
      zeros([elements]);
      gc();
      await setImmediate();
    }
    console.log('done');
  `;
  const child = await runNode(['--expose-gc', '--input-type=module', '-e', source]);
  t.is(child.stdout.trim(), 'done', child.stderr);
});

test('tensors that are kept exhaust the budget with memory_limit, and the process lives', async (t) => {
  const source = `
    import { zeros } from ${JSON.stringify(library)};
    const kept = [];
    try {
      for (;;) kept.push(zeros([2 ** 26]));
    } catch (error) {
      console.log(error.code, kept.length > 0);
    }
  `;
  const child = await runNode(['--input-type=module', '-e', source]);
  t.is(child.stdout.trim(), 'memory_limit true', child.stderr);
});
