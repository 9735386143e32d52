import { benches } from './benches.js';
import { runBenches } from './run-benches.js';

process.exitCode = await runBenches(process.argv.slice(2), benches);
