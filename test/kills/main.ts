import { parseArgs } from 'node:util';
import { seed } from '../helpers/random.js';
import { killSavers } from './kills.js';

// Kills processes in the midst of saves, as many as it is told to, and looks for what is lost.
const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const { kills, saves, problems } = await killSavers(seed, Number(values.kills));
const failed = Math.min(problems.length, 1);
const lines = [
  ...problems,
  `${kills} kills, ${saves} acknowledged saves, TENSORKV_SEED=${seed}`,
  `${1 - failed} passed, ${failed} failed`,
];
process.stdout.write(`${lines.join('\n')}\n`);
process.exitCode = failed;
