import { fileURLToPath } from 'node:url';
import test from 'ava';
import { runNode } from '../native/child.js';
import type { Held } from './heap-child.js';

const steps = 10_000;
/** Code that gets hot takes room on the heap, for ten thousand steps and more: all of it stays bytecode here. */
const steady = [
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--no-lazy-feedback-allocation',
  '--no-flush-bytecode',
];
const limitMs = 600_000;
/** Of a window of steps: what grows does so in each, by at least this many bytes a step. */
const bytesPerStep = 16;
const residentBytesPerStep = 512;

const child = fileURLToPath(new URL('./heap-child.js', import.meta.url));

for (const side of ['engine', 'reference'] as const) {
  for (const [type, workers] of [
    ['local', 1],
    ['dist_sync', 2],
  ] as const) {
    test.serial(
      `${steps} steps leave nothing behind: ${type}, ${workers} devices, ${side}`,
      async (t) => {
        t.timeout(limitMs);
        const asked = JSON.stringify([side, type, workers, steps]);
        const { code, stdout, stderr } = await runNode(['--expose-gc', ...steady, child, asked]);
        t.is(code, 0, stderr);
        const seen = JSON.parse(stdout) as readonly Held[];
        /** The least that a figure has grown by in a window. */
        const growth = (field: keyof Held): number =>
          Math.min(...seen.slice(1).map((each, i) => each[field] - seen[i]![field]));
        const window = steps / (seen.length - 1);
        t.log(seen.map(({ heapUsed, rss }) => `${heapUsed} ${rss}`).join(', '));
        t.true(growth('heapUsed') < window * bytesPerStep, `heap: ${growth('heapUsed')}`);
        t.true(growth('external') < window * bytesPerStep, `external: ${growth('external')}`);
        t.true(growth('arrayBuffers') <= 0, `array buffers: ${growth('arrayBuffers')}`);
        t.true(growth('rss') < window * residentBytesPerStep, `resident: ${growth('rss')}`);
        t.is(seen.at(-1)!.handles, seen[0]!.handles, 'handles');
      },
    );
  }
}
