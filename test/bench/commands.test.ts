import test from 'ava';
import { awaitCommand, Commands, isLastDone } from '../../bench/commands.js';

test('a command carries its times, and ends when the last device is done', async (t) => {
  const commands = new Commands();
  const first = commands.start(3);
  t.is(awaitCommand(commands.words, 0), 3);
  t.false(isLastDone(commands.words, 2));
  t.true(isLastDone(commands.words, 2));
  commands.done();
  await first;
  const second = commands.start(5);
  t.is(awaitCommand(commands.words, 1), 5);
  t.true(isLastDone(commands.words, 1));
  commands.done();
  await second;
  commands.stop();
  t.is(awaitCommand(commands.words, 2), 0);
});

test('a lost device ends the command in hand and every later one', async (t) => {
  const commands = new Commands();
  const waiting = commands.start(1);
  commands.lose(new Error('gone'));
  await t.throwsAsync(waiting, { message: 'gone' });
  commands.lose(new Error('gone too'));
  await t.throwsAsync(commands.start(1), { message: 'gone' });
});
