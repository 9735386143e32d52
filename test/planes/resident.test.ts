import { existsSync } from 'node:fs';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { runNode } from '../native/child.js';
import type { Resident } from '../workers/gigabyte.js';

const mebibyte = 2 ** 20;
const devices = 8;
const keys = 16;
const bytesPerKey = 64 * mebibyte;
const modelBytes = keys * bytesPerKey;
const steps = 3;
const limitMs = 600_000;

const hasFigures = existsSync('/proc/self/clear_refs') && freemem() > 4 * modelBytes;
const memoryTest = hasFigures ? test.serial : test.serial.skip;

/** w and m of sgd with momentum, all gradients 1. */
function trained(): number {
  let [w, m] = [1, 0];
  for (let step = 0; step < steps; step++) {
    m = 0.5 * m - 0.5 * devices;
    w += m;
  }
  return w;
}

for (const [path, options] of [
  ['engine', {}],
  ['coordinator', { clipGlobalNorm: 1e9 }],
] as const) {
  memoryTest(
    `a model of 1 GiB takes its bytes, its momentum, one update buffer and 64 MiB: ${path}`,
    async (t) => {
      t.timeout(limitMs);
      const child = fileURLToPath(new URL('./resident-child.js', import.meta.url));
      const asked = JSON.stringify([devices, keys, bytesPerKey, steps, options]);
      const { code, stdout, stderr } = await runNode([child, asked]);
      t.is(code, 0, stderr);
      const { before, peak, element } = JSON.parse(stdout) as Resident;
      t.is(element, trained());
      const grown = peak - before;
      t.true(grown > modelBytes, 'the figures are those of the process');
      const allowed = 2 * modelBytes + bytesPerKey + 64 * mebibyte;
      t.true(grown <= allowed, `${grown / mebibyte} MiB, allowed ${allowed / mebibyte}`);
      t.log(`${Math.round(grown / mebibyte)} MiB of ${allowed / mebibyte} that are allowed`);
    },
  );
}
