import test from 'ava';
import { seed } from '../helpers/random.js';
import { killSavers } from './kills.js';

test('S16: whenever a process is killed, its last acknowledged save is there, or the one after it', async (t) => {
  const { saves, problems } = await killSavers(seed, 40);
  t.deepEqual(problems, [], `TENSORKV_SEED=${seed}`);
  t.true(saves >= 10, `only ${saves} saves`);
});
