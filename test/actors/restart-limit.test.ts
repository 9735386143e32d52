import test from 'ava';
import { RestartLimit } from '../../actors/restart-limit.js';

test('D6: so many restarts within so much time, whenever they were', (t) => {
  const limit = new RestartLimit({ max: 2, withinMs: 100 });
  const takes = [0, 50, 99, 100, 149, 150, 151].map((nowMs) => limit.take(nowMs));
  t.deepEqual(takes, [true, true, false, true, false, true, false]);
});

test('D6: no restarts at all', (t) => {
  t.false(new RestartLimit({ max: 0, withinMs: Infinity }).take(5));
});
