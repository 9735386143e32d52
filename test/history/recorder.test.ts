import test from 'ava';
import { readHistory, Recorder, recorderMemories } from '../../src/history/recorder.js';

test('what was recorded is read as it was', (t) => {
  const memories = recorderMemories(2, { capacity: 8, width: 2 });
  const recorder = new Recorder(memories[1]!);
  const push = recorder.begin('push', 7, 10);
  recorder.end(push, 'done', 20);
  const pull = recorder.begin('pull', 7, 30);
  recorder.saw(pull, Float32Array.of(1, 2), { version: 5, isTorn: true });
  recorder.end(pull, 'done', 40);
  recorder.end(recorder.begin('push', 3, 50), 'refused', 60);
  recorder.end(recorder.begin('push', 3, 70), 'unknown', 80);
  recorder.begin('push', 7, 90);
  const common = { device: 1, version: undefined, seen: new Float32Array(0), isTorn: false };
  t.deepEqual(readHistory(memories), [
    { ...common, kind: 'push', key: 7, callNs: 10, endNs: 20, outcome: 'done', number: 1 },
    {
      ...{ ...common, kind: 'pull', key: 7, callNs: 30, endNs: 40, outcome: 'done', number: 1 },
      ...{ version: 5, seen: Float32Array.of(1, 2), isTorn: true },
    },
    { ...common, kind: 'push', key: 3, callNs: 50, endNs: 60, outcome: 'refused', number: 1 },
    { ...common, kind: 'push', key: 3, callNs: 70, endNs: Infinity, outcome: 'unknown', number: 2 },
    { ...common, kind: 'push', key: 7, callNs: 90, endNs: Infinity, outcome: 'unknown', number: 2 },
  ]);
});

test('the clock goes on for all devices', (t) => {
  const [first, second] = recorderMemories(2, { capacity: 1, width: 1 });
  const [a, b] = [new Recorder(first!), new Recorder(second!)];
  const times = [a.now(), b.now(), a.now(), b.now()];
  t.deepEqual(
    times,
    times.toSorted((x, y) => x - y),
  );
});

test('a full recorder says so', (t) => {
  const [memory] = recorderMemories(1, { capacity: 1, width: 1 });
  const recorder = new Recorder(memory!);
  recorder.begin('push', 0, 0);
  t.throws(() => recorder.begin('push', 0, 0), { message: /recorder of 1 operations is full/ });
});
