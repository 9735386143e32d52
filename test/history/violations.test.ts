import test from 'ava';
import { checkOwnOrder } from '../../src/history/check-order.js';
import { checkRounds } from '../../src/history/check-rounds.js';
import { checkStaleness } from '../../src/history/check-staleness.js';
import { checkSums, lanesFor } from '../../src/history/check-sums.js';
import { checkVersions } from '../../src/history/check-versions.js';
import { sumModel } from '../../src/history/models.js';
import type { Operation } from '../../src/history/operation.js';
import { checkReplay } from '../../src/history/replay.js';
import { search } from '../../src/history/search.js';
import { historyOf, ownLanes, type Short } from '../helpers/histories.js';

// One history by hand for each way to be wrong, and beside it one that is right by a hair.

const two = ownLanes(2);
const push = (device: number, callNs: number, endNs: number): Short => [
  device,
  'push',
  callNs,
  endNs,
];
const pull = (device: number, callNs: number, endNs: number, seen: readonly number[]): Short => [
  device,
  'pull',
  callNs,
  endNs,
  seen,
];

const sums: Readonly<Record<string, readonly [rule: RegExp, wrong: Short[], right: Short[]]>> = {
  'a pull that misses an acknowledged push': [
    /sees every push that was acknowledged/,
    [push(0, 0, 1), pull(1, 2, 3, [0, 0, 0])],
    [push(0, 0, 3), pull(1, 2, 4, [0, 0, 0])],
  ],
  'a pull that sees a push before its call': [
    /once, and only after its call/,
    [pull(1, 0, 1, [1, 0, 1]), push(0, 2, 3)],
    [pull(1, 0, 2, [1, 0, 1]), push(0, 1, 3)],
  ],
  'a push that counts twice': [
    /once, and only after its call/,
    [push(0, 0, 1), pull(1, 2, 3, [2, 0, 2])],
    [push(0, 0, 1), push(0, 1, 9), pull(1, 2, 3, [2, 0, 2])],
  ],
  'a push that is seen without one that ended before it began': [
    /in the order of time/,
    [push(0, 0, 2), pull(0, 5, 9, [1, 1, 2]), push(1, 3, 8), pull(2, 1, 9, [0, 1, 1])],
    [push(0, 0, 4), pull(0, 5, 9, [1, 1, 2]), push(1, 3, 8), pull(2, 1, 9, [0, 1, 1])],
  ],
  'two pulls that see different orders': [
    /one order of versions/,
    [push(0, 0, 9), push(1, 0, 9), pull(2, 0, 9, [1, 0, 1]), pull(3, 0, 9, [0, 1, 1])],
    [push(0, 0, 9), push(1, 0, 9), pull(2, 0, 9, [1, 0, 1]), pull(3, 0, 9, [1, 1, 2])],
  ],
  'a pull that goes back behind an earlier one': [
    /never go back/,
    [push(0, 0, 9), pull(2, 1, 2, [1, 0, 1]), pull(3, 3, 4, [0, 0, 0])],
    [push(0, 0, 9), pull(2, 1, 3, [1, 0, 1]), pull(3, 3, 4, [0, 0, 0])],
  ],
  'a total that does not fit its lanes': [
    /gives one version/,
    [push(0, 0, 1), pull(1, 2, 3, [1, 0, 0])],
    [push(0, 0, 1), pull(1, 2, 3, [1, 0, 1])],
  ],
  'half a push': [
    /gives one version/,
    [push(0, 0, 9), pull(1, 2, 3, [0.5, 0, 0.5])],
    [push(0, 0, 9), pull(1, 2, 3, [0, 0, 0])],
  ],
};
const four = { count: 2, ofDevice: [[0], [1], [], []] };

for (const [name, [rule, wrong, right]] of Object.entries(sums)) {
  test(`sums: ${name}`, (t) => {
    const violation = checkSums(historyOf(...wrong), four);
    t.regex(violation?.rule ?? 'nothing', rule);
    t.true(violation!.witness.length > 0);
    t.false(search(historyOf(...wrong), sumModel(four)).isLinearizable);
    t.is(checkSums(historyOf(...right), four), undefined);
    t.true(search(historyOf(...right), sumModel(four)).isLinearizable);
  });
}

test('sums: a torn pull is wrong whatever its first elements are', (t) => {
  const history = historyOf(push(0, 0, 1), pull(1, 2, 3, [1, 0, 1]));
  const torn = history.map((each) => ({ ...each, isTorn: each.kind === 'pull' }));
  t.regex(checkSums(torn, two)!.rule, /one version/);
  t.false(search(torn, sumModel(two)).isLinearizable);
});

test('sums: a refused push must not be seen', (t) => {
  const history = historyOf(push(0, 0, 1), pull(1, 2, 3, [1, 0, 1]));
  const refused = history.map((each): Operation =>
    each.kind === 'push' ? { ...each, outcome: 'refused' } : each,
  );
  t.not(checkSums(refused, two), undefined);
  t.false(search(refused, sumModel(two)).isLinearizable);
});

test('sums: a push that never ended may be seen, but not by some only', (t) => {
  const open = push(0, 0, Infinity);
  t.is(
    checkSums(historyOf(open, pull(1, 2, 3, [0, 0, 0]), pull(1, 4, 5, [1, 0, 1])), two),
    undefined,
  );
  t.not(
    checkSums(historyOf(open, pull(1, 2, 3, [1, 0, 1]), pull(1, 4, 5, [0, 0, 0])), two),
    undefined,
  );
});

test('sums: a device whose pull misses its own push is wrong, however they overlap', (t) => {
  const history = historyOf(push(0, 0, 9), pull(0, 1, 8, [0, 0, 0]));
  t.regex(checkOwnOrder(history, two)!.rule, /what it pushed before/);
  t.not(checkSums(history, two), undefined);
  t.false(search(history, sumModel(two)).isLinearizable);
});

test('sums: devices that share a lane are counted together', (t) => {
  const lanes = lanesFor(4, 3);
  t.deepEqual(lanes.ofDevice, [[0], [1], [0], [1]]);
  t.is(
    checkSums(historyOf(push(0, 0, 1), push(2, 0, 1), pull(1, 2, 3, [2, 0, 2])), lanes),
    undefined,
  );
  t.not(
    checkSums(historyOf(push(0, 0, 1), push(2, 0, 1), pull(1, 2, 3, [1, 0, 1])), lanes),
    undefined,
  );
});

test('rounds: two pushes of one device do not make a round', (t) => {
  const pushes = [push(0, 0, 1), push(0, 1, 5), push(1, 4, 5)];
  const after = (seen: readonly number[]): Operation[] => historyOf(...pushes, pull(1, 6, 7, seen));
  t.regex(checkRounds(after([2, 0, 2]), two)!.rule, /one push of each device/);
  t.regex(checkRounds(after([2, 2, 4]), two)!.message, /result of round 1, got \[2 2\]/);
  t.is(checkRounds(after([1, 1, 2]), two), undefined);
});

test('rounds: one that ended stays at what it pushed', (t) => {
  const pushes = [push(0, 0, 1), push(0, 2, Infinity), push(1, 0, 1), push(1, 2, 3)];
  const rounds = (...seen: readonly (readonly number[])[]): Operation[] =>
    historyOf(
      ...pushes,
      ...seen.flatMap((each, i) => [pull(1, 4 + 3 * i, 5 + 3 * i, each), push(1, 6 + 3 * i, 7)]),
    );
  t.is(checkRounds(rounds([1, 2, 3], [1, 3, 4], [1, 4, 5]), two), undefined);
  t.is(checkRounds(rounds([2, 2, 4], [2, 3, 5], [2, 4, 6]), two), undefined);
  t.regex(checkRounds(rounds([1, 2, 3], [2, 3, 5]), two)!.rule, /ended adds nothing/);
  t.not(checkRounds(rounds([0, 2, 2]), two), undefined);
});

test('rounds: a caller that pushes for all devices at once', (t) => {
  const lanes = lanesFor(3, 3, true);
  t.deepEqual(lanes.ofDevice, [[0, 1, 0]]);
  const after = (seen: readonly number[]): Operation[] =>
    historyOf(push(0, 0, 1), push(0, 1, 9), pull(0, 2, 9, seen));
  for (const check of [checkSums, checkRounds]) {
    t.is(check(after([4, 2, 6]), lanes), undefined);
    t.not(check(after([2, 1, 3]), lanes), undefined);
  }
});

test('staleness: nobody gets too far ahead, and a pull misses only so many', (t) => {
  const pushes = [push(0, 0, 1), push(0, 1, 2), push(1, 0, 9), push(1, 10, 11)];
  const after = (seen: readonly number[]): Operation[] => historyOf(...pushes, pull(0, 3, 4, seen));
  t.is(checkStaleness(after([2, 1, 3]), two, 1), undefined);
  t.regex(checkStaleness(after([2, 0, 2]), two, 1)!.rule, /too far ahead/);
  t.is(checkStaleness(after([2, 0, 2]), two, 2), undefined);
  t.not(checkStaleness(after([0, 0, 0]), two, 1), undefined);
  const gone = historyOf(push(0, 0, 1), push(0, 1, 2), push(0, 3, 4), pull(0, 5, 6, [3, 0, 3]));
  t.is(checkStaleness(gone, two, 1), undefined, 'one that had gone holds nobody up');
});

const update = (stored: Float32Array, input: Float32Array): Float32Array =>
  stored.map((each, i) => Math.fround(each / 2 + input[i]!));

test('replay: every version is made again from the log, bit for bit', (t) => {
  const inputs = [0.1, 0.2, 0.3].map((each) => Float32Array.of(each));
  const replay = { initial: Float32Array.of(0), update };
  let stored: Float32Array = replay.initial;
  const pulls = inputs.map((input, i): Operation => {
    stored = update(stored, input);
    const [one] = historyOf(pull(0, i, i + 1, [stored[0]!]));
    return { ...one!, version: i + 1 };
  });
  t.is(checkReplay(pulls, { key: 0, inputs }, replay), undefined);
  const wrong = [
    inputs.toReversed(), // Another order.
    inputs.slice(1), // An update left out.
    [inputs[0]!, ...inputs], // One made twice.
  ];
  for (const log of wrong) t.not(checkReplay(pulls, { key: 0, inputs: log }, replay), undefined);
  const negativeZero = pulls.map((each) => ({ ...each, version: 0, seen: Float32Array.of(-0) }));
  t.regex(checkReplay(negativeZero, { key: 0, inputs }, replay)!.rule, /just the bytes/);
  const torn = pulls.map((each) => ({ ...each, isTorn: true }));
  t.regex(checkReplay(torn, { key: 0, inputs }, replay)!.message, /torn/);
});

test('versions: their numbers fit the times of pushes', (t) => {
  const pulled = (version: number): Operation[] =>
    historyOf(push(0, 0, 1), push(1, 2, 9), pull(1, 3, 4, [0])).map((each) =>
      each.kind === 'pull' ? { ...each, version } : each,
    );
  t.is(checkVersions(pulled(1)), undefined);
  t.is(checkVersions(pulled(2)), undefined);
  for (const version of [0, 3, 1.5, Number.NaN]) t.not(checkVersions(pulled(version)), undefined);
});
