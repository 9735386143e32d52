import { checkRounds } from '../../src/history/check-rounds.js';
import { checkSums } from '../../src/history/check-sums.js';
import type { Operation, Violation } from '../../src/history/operation.js';
import { ownLanes } from '../helpers/histories.js';
import { randomTest } from '../helpers/random-test.js';
import { simulate, storeFaults } from '../helpers/simulated-store.js';

const devices = 3;
const lanes = ownLanes(devices);

function check(history: readonly Operation[], isSync: boolean): Violation | undefined {
  return checkSums(history, lanes) ?? (isSync ? checkRounds(history, lanes) : undefined);
}

for (const isSync of [false, true]) {
  const kind = isSync ? 'in rounds' : 'push by push';
  randomTest(`a right store passes, ${kind}`, 100, async (t, random) => {
    const mayDie = random.chance(0.5);
    const history = simulate(random, { devices, operations: 60, isSync, mayDie });
    t.is(check(history, isSync)?.message, undefined);
  });
}

for (const fault of storeFaults) {
  const isSync = fault === 'count instead of identity';
  randomTest(`a store with this fault is caught: ${fault}`, 50, async (t, random) => {
    const history = simulate(random, { devices, operations: 150, isSync, fault });
    const violation = check(history, isSync);
    t.not(violation, undefined, `${history.length} operations, and nothing was found`);
  });
}
