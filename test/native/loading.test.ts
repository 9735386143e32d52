import test from 'ava';
import { cpus } from '../../native/kernels.js';
import { runNode } from './child.js';

const kernelsUrl = new URL('../../native/kernels.js', import.meta.url).href;
const indexUrl = new URL('../../src/index.js', import.meta.url).href;

/** Imports kernels.ts in a new process, then runs `code`. */
function importKernels(env: Readonly<Record<string, string | undefined>>, code = '') {
  const script = `
    const { kernels, nativeMissingReason } = await import('${kernelsUrl}');
    console.log([kernels.name, kernels.cpu, nativeMissingReason].join(' | '));
    ${code}`;
  return runNode(['--input-type=module', '--eval', script], env);
}

// node-gyp-build looks there instead of in the package: an addon that is not built.
const missing = { TENSORKV_PREBUILD: '/nowhere' };
const hasAddon = cpus.length > 1;
// These children load what this process loaded.
const same = { TENSORKV_NATIVE: process.env['TENSORKV_NATIVE'] };

test('TENSORKV_NATIVE=off chooses the references without a warning', async (t) => {
  const { code, stdout, stderr } = await importKernels({ TENSORKV_NATIVE: 'off' });
  t.is(stdout, 'reference | none | TENSORKV_NATIVE=off turns the native addon off.\n');
  t.is(stderr, '');
  t.is(code, 0);
});

test('a missing addon gives the references and one warning a process', async (t) => {
  const workers = `
    await import('${indexUrl}');
    const { Worker } = await import('node:worker_threads');
    const { once } = await import('node:events');
    await once(new Worker('import("${kernelsUrl}")', { eval: true }), 'exit');`;
  const { code, stdout, stderr } = await importKernels(missing, workers);
  t.regex(stdout, /^reference \| none \| The native addon of tensorkv could not be loaded/);
  t.is(stderr.match(/TENSORKV_NATIVE_MISSING/g)?.length, 1);
  t.regex(stderr, /TensorKVWarning: .*TypeScript references/);
  t.is(code, 0);
});

test('TENSORKV_NATIVE=require throws where the addon is missing', async (t) => {
  const { code, stderr } = await importKernels({ ...missing, TENSORKV_NATIVE: 'require' });
  t.not(code, 0);
  t.regex(stderr, /Error: The native addon of tensorkv could not be loaded/);
});

test('unsharedView of shared memory says that it needs the addon', async (t) => {
  const code = `
    kernels.unsharedView(new Int8Array(1));
    try { kernels.unsharedView(new Int8Array(new SharedArrayBuffer(1))); }
    catch (error) { console.log(error.message); }`;
  const { stdout } = await importKernels({ TENSORKV_NATIVE: 'off' }, code);
  t.regex(stdout, /unsharedView of shared memory needs the native addon/);
});

test('TENSORKV_CPU that names no instruction set throws', async (t) => {
  const { code, stderr } = await importKernels({ ...same, TENSORKV_CPU: 'sse9' });
  t.is(code === 0, !hasAddon);
  t.is(/TENSORKV_CPU is one of baseline, avx2, avx512, not sse9/.test(stderr), hasAddon);
});

for (const [rank, limit] of ['baseline', 'avx2', 'avx512'].entries()) {
  test(`TENSORKV_CPU=${limit} lowers the choice to it`, async (t) => {
    const { stdout } = await importKernels({ ...same, TENSORKV_CPU: limit });
    const compiled = cpus.filter((cpu) => cpu !== 'none');
    const expected = compiled[Math.min(rank, compiled.length - 1)] ?? 'none';
    t.is(stdout.split(' | ')[1], expected);
  });
}
