import test from 'ava';
import { checkSums } from '../../src/history/check-sums.js';
import { assignModel, foldModel, sumModel } from '../../src/history/models.js';
import type { Operation } from '../../src/history/operation.js';
import { search, type Model } from '../../src/history/search.js';
import { historyOf, mutated, ownLanes, type Short } from '../helpers/histories.js';
import { isReplay, Random, seed } from '../helpers/random.js';
import { simulate } from '../helpers/simulated-store.js';

// A checker that says yes to everything passes every test of a right store. So there are two, made in
// different ways, and a third that tries all orders; they have to say the same of right histories and
// of wrong ones.

const historyCount = isReplay ? 1 : 25_000;

test('the checker of sums and the search agree on 25,000 random histories', (t) => {
  const counts = { right: 0, wrong: 0 };
  for (let i = 0; i < historyCount; i++) {
    const random = new Random(seed + i);
    const devices = 2 + random.integer(2);
    const operations = 2 + random.integer(4);
    let history = simulate(random, { devices, operations, mayDie: random.chance(0.3) });
    const changes = history.length === 0 ? 0 : random.integer(3);
    for (let change = 0; change < changes; change++) history = mutated(random, history);
    const violation = checkSums(history, ownLanes(devices));
    const { isLinearizable } = search(history, sumModel(ownLanes(devices)));
    if ((violation === undefined) !== isLinearizable) {
      const said = `sums: ${violation?.message ?? 'right'}, search: ${isLinearizable}`;
      return t.fail(`${said}; replay with TENSORKV_SEED=${seed + i}`);
    }
    if (changes === 0 && violation !== undefined) {
      return t.fail(`a right history: ${violation.message}; TENSORKV_SEED=${seed + i}`);
    }
    counts[violation === undefined ? 'right' : 'wrong'] += 1;
  }
  t.log(`${counts.right} right, ${counts.wrong} wrong`);
  if (!isReplay) t.true(counts.right > 1000 && counts.wrong > 1000);
  t.pass();
});

/** Whether some order of all operations fits, by trying every one. */
function bruteForce<State>(history: readonly Operation[], model: Model<State>): boolean {
  const left = new Set(history);
  const tryFrom = (state: State): boolean => {
    if ([...left].every(({ outcome }) => outcome === 'unknown')) return true;
    return [...left].some((next) => {
      const isLater = [...left].some(
        (other) =>
          other.endNs < next.callNs ||
          (other.device === next.device && history.indexOf(other) < history.indexOf(next)),
      );
      if (isLater || (next.kind === 'pull' && !model.allows(state, next))) return false;
      left.delete(next);
      const found = tryFrom(next.kind === 'push' ? model.push(state, next) : state);
      left.add(next);
      return found;
    });
  };
  return tryFrom(model.initial);
}

/** A short history of a key that pushes replace, or that folds them, which may be wrong. */
function randomHistory(random: Random, devices: number, isFold: boolean): Operation[] {
  const clocks = new Array<number>(devices).fill(0);
  const pushes = new Array<number>(devices).fill(0);
  const shorts = Array.from({ length: 3 + random.integer(4) }, (): Short => {
    const device = random.integer(devices);
    const callNs = clocks[device]! + random.integer(4);
    const endNs = callNs + random.integer(8);
    clocks[device] = endNs + 1;
    if (random.chance(0.5)) {
      pushes[device]! += 1;
      return [device, 'push', callNs, endNs];
    }
    if (isFold) return [device, 'pull', callNs, endNs, [random.pick([0, 1, 2, 5, 4])]];
    const writer = random.integer(devices);
    const number = random.integer(pushes[writer]! + 1);
    const seen = new Array<number>(devices + 1).fill(0);
    seen[writer] = number;
    seen[devices] = number;
    return [device, 'pull', callNs, endNs, seen];
  });
  return historyOf(...shorts);
}

test('the search says what trying every order says, for two more models', (t) => {
  const counts = [0, 0];
  for (let i = 0; i < (isReplay ? 1 : 8000); i++) {
    const random = new Random(seed + i);
    const devices = 2 + random.integer(2);
    const isFold = random.chance(0.5);
    const history = randomHistory(random, devices, isFold);
    const fold = (stored: Float32Array, push: Operation): Float32Array =>
      stored.map((each) => 2 * each + push.device + 1);
    const [found, expected] = isFold
      ? both(history, foldModel(new Float32Array(1), fold))
      : both(history, assignModel(ownLanes(devices)));
    if (found !== expected) {
      return t.fail(`search: ${found}, all orders: ${expected}; TENSORKV_SEED=${seed + i}`);
    }
    counts[expected ? 1 : 0]! += 1;
  }
  t.log(`${counts[1]} right, ${counts[0]} wrong`);
  if (!isReplay) t.true(counts.every((count) => count > 500));
  t.pass();
});

function both<State>(
  history: readonly Operation[],
  model: Model<State>,
): [boolean | 'unknown', boolean] {
  return [search(history, model).isLinearizable, bruteForce(history, model)];
}

test('the search gives up at its limit', (t) => {
  const pushes = Array.from({ length: 8 }, (_, device): Short => [device, 'push', 0, 10]);
  const wrong = historyOf(...pushes, [0, 'pull', 11, 12, [9]]);
  const fold = (stored: Float32Array, { device }: Operation): Float32Array =>
    stored.map((each) => 10 * each + device);
  const model = foldModel(new Float32Array(1), fold);
  t.is(search(wrong, model, 50).isLinearizable, 'unknown');
  t.is(search(wrong, model).isLinearizable, false);
});

test('a long history is searched in time that grows with its length', (t) => {
  const random = new Random(seed);
  const history = simulate(random, { devices: 4, operations: 500 });
  const { isLinearizable, visited } = search(history, sumModel(ownLanes(4)));
  t.true(isLinearizable);
  t.true(visited < 100 * history.length, `${visited} configurations`);
});
