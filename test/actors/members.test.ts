import test from 'ava';
import { Members } from '../../actors/members.js';

test('members are live until they leave or die, once', (t) => {
  const members = new Members(4, 'abort');
  t.deepEqual(members.live(), [0, 1, 2, 3]);
  t.true(members.depart(2, 'a fault'));
  t.true(members.depart(0, undefined));
  t.false(members.depart(2, undefined));
  t.false(members.depart(0, 'a fault'));
  t.false(members.depart(9, 'a fault'));
  t.deepEqual(members.live(), [1, 3]);
  t.deepEqual(
    [0, 1, 2, 9].map((rank) => members.isLive(rank)),
    [false, true, false, false],
  );
  t.is(members.deadCount, 1);
});

test('under abort the dead end what waits for everyone, those who left do not', (t) => {
  const members = new Members(3, 'abort');
  members.depart(2, undefined);
  members.depart(1, 'a fault');
  t.deepEqual(members.fatal(), [1]);
});

test('under continue nobody does', (t) => {
  const members = new Members(2, 'continue');
  members.depart(1, 'a fault');
  t.deepEqual(members.fatal(), []);
});

test('the error of a departure says who, how and what waits', (t) => {
  const members = new Members(3, 'abort');
  members.depart(1, 'a fault');
  members.depart(2, undefined);
  const died = members.departed(1, 'round 4 of key 0', 0);
  t.is(died.message, 'round 4 of key 0 expected rank 1, which died (a fault)');
  t.deepEqual([died.code, died.key, died.rank], ['peer_dead', 0, 1]);
  const left = members.departed(2, 'barrier');
  t.is(left.message, 'barrier expected rank 2, which left');
  t.is(left.key, undefined);
});

test('D7: the next rank may join, and no other', (t) => {
  const members = new Members(2, 'abort');
  t.is(members.join(1), undefined);
  t.is(members.join(3), undefined);
  t.is(members.join(2), 'new');
  members.depart(1, 'a fault');
  members.depart(2, undefined);
  t.is(members.join(1), undefined, 'who died for good does not come back');
  t.is(members.join(2), undefined);
  t.is(members.join(3), 'new');
  t.deepEqual([members.live(), members.size], [[0, 3], 4]);
});

test('D6: one that returns is waited for, and is dead only if it cannot', (t) => {
  const members = new Members(3, 'restart');
  t.true(members.depart(1, 'a fault', true));
  t.false(members.depart(1, 'a fault', true));
  t.deepEqual([members.live(), members.fatal()], [[0, 1, 2], []]);
  t.deepEqual([members.isLive(1), members.isAwaited(1)], [false, true]);
  t.deepEqual([members.liveCount, members.deadCount], [2, 1]);
  t.is(members.join(1), 'back');
  t.deepEqual([members.liveCount, members.deadCount], [3, 0]);
  members.depart(1, 'a fault', true);
  t.true(members.depart(1, 'another', false));
  t.deepEqual([members.live(), members.fatal()], [[0, 2], [1]]);
  t.deepEqual([members.isAwaited(1), members.join(1)], [false, undefined]);
});
