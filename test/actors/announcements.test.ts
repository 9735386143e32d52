import test from 'ava';
import { Announcements } from '../../actors/announcements.js';
import { Members } from '../../actors/members.js';
import { rulesPerWord, type FromCoordinator } from '../../src/core/protocol.js';
import { optimizerNamed } from '../../src/core/optimizers/registry.js';

const sgd = optimizerNamed('sgd');
const ruleOf = (lr: number) =>
  ({ kind: 'optimizer', optimizer: sgd, options: sgd.resolve({ lr }) }) as const;

/** Announcements, and the rates of the rules that each device has been told of. */
function announcements(workers: number) {
  const told: number[][] = Array.from({ length: workers }, () => []);
  const send = (to: number, message: FromCoordinator): void => {
    if (message.type === 'optimizer') told[to]!.push(message.options!['lr'] as number);
  };
  return { announce: new Announcements(new Members(workers, 'abort'), send), told };
}

test('a device that hears is told of every rule, one that does not of few, and then of the last', (t) => {
  const { announce, told } = announcements(2);
  const count = 1000;
  for (let i = 1; i <= count; i++) {
    announce.rule(ruleOf(i));
    if (told[0]!.length % rulesPerWord === 0) announce.heard(0);
  }
  t.deepEqual(
    told[0],
    Array.from({ length: count }, (_, i) => i + 1),
  );
  t.is(told[1]!.length, 2 * rulesPerWord);
  announce.heard(1);
  t.is(told[1]!.length, 2 * rulesPerWord + 1);
  t.is(told[1]!.at(-1), count);
  announce.heard(1);
  t.is(told[1]!.length, 2 * rulesPerWord + 1, 'it knows the last one');
});

test('an answer comes behind the rule that is in force', (t) => {
  const { announce, told } = announcements(1);
  for (let i = 1; i <= 100; i++) announce.rule(ruleOf(i));
  announce.catchUp(0);
  announce.catchUp(0);
  t.is(told[0]!.length, 2 * rulesPerWord + 1);
  t.is(told[0]!.at(-1), 100);
});

test('the next incarnation of a device is told as if nobody had been before', (t) => {
  const { announce, told } = announcements(1);
  for (let i = 1; i <= 100; i++) announce.rule(ruleOf(i));
  told[0] = [];
  announce.welcome(0, []);
  for (let i = 101; i <= 110; i++) announce.rule(ruleOf(i));
  t.deepEqual(told[0], [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110]);
});
