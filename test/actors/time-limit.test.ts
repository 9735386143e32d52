import test from 'ava';
import { runWithin } from '../../actors/time-limit.js';

test('work within the limit runs once, and what it throws passes through', (t) => {
  for (const limitMs of [Infinity, 1e12, 60_000, 1000.5]) {
    let runs = 0;
    runWithin(limitMs, 'w', () => (runs += 1));
    t.is(runs, 1);
    const thrown = new RangeError('a fault');
    const error = t.throws(() =>
      runWithin(limitMs, 'w', () => {
        throw thrown;
      }),
    );
    t.is(error, thrown);
  }
});

test('work past the limit is stopped, and the next work runs', (t) => {
  const error = t.throws(
    () =>
      runWithin(20, 'w', () => {
        for (;;);
      }),
    { code: 'updater_error' },
  );
  t.is(error.message, 'the updater for key "w" expected to return, but was stopped after 20 ms');
  let ran = false;
  runWithin(60_000, 'w', () => (ran = true));
  t.true(ran);
});

test('work may run work of its own', (t) => {
  const seen: string[] = [];
  runWithin(60_000, 'w', () => {
    runWithin(60_000, 'w', () => void seen.push('inner'));
    seen.push('outer');
  });
  t.deepEqual(seen, ['inner', 'outer']);
});
