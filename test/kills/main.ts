import { parseArgs } from 'node:util';
import { seed } from '../helpers/random.js';
import { killSavers } from './kills.js';

// Kills processes in the midst of saves, as many by SIGKILL as it is told to and some by other signals,
// and looks for what is lost, and for what is left.
const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const { kills, saves, leftovers, problems } = await killSavers(seed, Number(values.kills));
const failed = Math.min(problems.length, 1);
const counts = Object.entries(kills).map(([signal, count]) => `${count} ${signal}`);
const lines = [
  ...problems,
  `kills: ${counts.join(', ')}; ${leftovers} left a temporary file`,
  `${saves} acknowledged saves, TENSORKV_SEED=${seed}`,
  `${1 - failed} passed, ${failed} failed`,
];
process.stdout.write(`${lines.join('\n')}\n`);
process.exitCode = failed;
