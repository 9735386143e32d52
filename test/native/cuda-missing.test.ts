import test from 'ava';
import { loadAddon } from '../../native/addon.js';
import type { AddonCuda } from '../../native/cuda/addon-cuda.js';
import { runNode } from './child.js';

const { addon } = loadAddon();
const addonUrl = new URL('../../native/addon.js', import.meta.url).href;

/** What a new process says of CUDA with this driver. */
async function reasonWith(driver: string): Promise<string> {
  const script = `
    const { addon } = (await import('${addonUrl}')).loadAddon();
    console.log(addon.cuda.missingReason());
    for (const name of ['deviceCount', 'driverVersion']) {
      try { addon.cuda[name](); } catch (error) { console.log(error.code); }
    }
    try { addon.cuda.allocate(0, 4); } catch (error) { console.log(error.code); }`;
  const args = ['--input-type=module', '--eval', script];
  const { code, stdout, stderr } = await runNode(args, { TENSORKV_CUDA_DRIVER: driver });
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

(addon === undefined ? test.skip : test)('without a driver the addon says so', async (t) => {
  const said = (await reasonWith('/nowhere/libcuda.so')).trimEnd().split('\n');
  t.is(said.length, 4);
  t.regex(
    said[0]!,
    /^no driver of NVIDIA was found: \/nowhere\/libcuda\.so: cannot open shared object file|^this build has no /,
  );
  t.deepEqual(said.slice(1), ['cuda_unavailable', 'cuda_unavailable', 'cuda_unavailable']);
});

(addon === undefined ? test.skip : test)('a library that is no driver is too old', async (t) => {
  const said = await reasonWith('libm.so.6');
  t.regex(said, /^the NVIDIA driver is too old|^this build has no |cannot open shared object/);
});

(addon === undefined ? test.skip : test)('every function of CUDA is there', (t) => {
  const names: readonly (keyof AddonCuda)[] = [
    'missingReason',
    'driverVersion',
    'deviceCount',
    'deviceInfo',
    'ncclInfo',
    'allocate',
    'retain',
    'release',
    'watch',
    'forget',
    'collected',
    'arrayInfo',
    'upload',
    'download',
    'downloadAsync',
    'copy',
    'broadcast',
    'whenReady',
    'synchronize',
    'run',
    'exportHandle',
    'importHandle',
    'loadModule',
    'compile',
    'kernel',
    'launch',
  ];
  t.deepEqual(Object.keys(addon!.cuda).toSorted(), [...names].toSorted());
  for (const name of names) t.is(typeof addon!.cuda[name], 'function');
});
