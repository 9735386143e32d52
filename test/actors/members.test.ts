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
