import test from 'ava';
import { seed } from '../helpers/random.js';
import { killSavers } from './kills.js';

const kills = 40;

test('S16: whenever a process is killed, its last acknowledged save is there, or the one after it', async (t) => {
  const report = await killSavers(seed, kills);
  t.deepEqual(report.problems, [], `TENSORKV_SEED=${seed}`);
  t.deepEqual(report.kills, { SIGKILL: kills, SIGINT: 2, SIGTERM: 2 });
  t.true(report.saves >= 10, `only ${report.saves} saves`);
  t.true(report.leftovers > 0, 'no kill has left a temporary file: then no save removed one');
});
