import { cudaAddon, missingReason } from '../../native/cuda/door.js';
import { runBenches } from '../run-benches.js';
import { gpuBenches } from './benches.js';
import { gpu } from './device.js';

// The benches of CUDA devices, with the same options as the others.
const missing = missingReason();
if (missing === undefined) {
  const { name } = cudaAddon().deviceInfo(gpu.index);
  const about = { gpu: name, driver: cudaAddon().driverVersion() };
  process.exitCode = await runBenches(process.argv.slice(2), gpuBenches, about);
} else {
  process.stderr.write(`the benches of CUDA devices expected a GPU, but: ${missing}\n`);
  process.exitCode = 1;
}
