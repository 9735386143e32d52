import test from 'ava';
import { Thread } from '../../actors/thread.js';
import { rejects } from '../helpers/workers.js';

/** A thread that runs `code`. */
function thread(code: string): Thread {
  return new Thread('subject', new URL(`data:text/javascript,${encodeURIComponent(code)}`), {});
}

const forever = 'setInterval(() => {}, 1e6);';
const ends: Record<string, readonly [code: string, reason: string]> = {
  'by itself': ['1 + 1;', 'exited with code 0'],
  'by process.exit(0)': ['process.exit(0);', 'exited with code 0'],
  'by process.exit(3)': ['process.exit(3);', 'exited with code 3'],
  'by an error': ['throw new RangeError("too far");', 'RangeError: too far'],
  'by something else thrown': ['throw "words";', 'words'],
  'by null thrown': ['throw null;', 'null'],
  'by a rejection': ['void Promise.reject(new Error("forgotten"));', 'Error: forgotten'],
  'by a module that is not there': ['import "nowhere:at-all";', 'nowhere:'],
};
for (const [how, [code, reason]] of Object.entries(ends)) {
  test(`the end of a thread ${how} is told in words`, async (t) => {
    t.true((await thread(code).exited).includes(reason));
  });
}

test('whileAlive gives the answer of a thread that lives', async (t) => {
  const subject = thread(forever);
  t.is(await subject.whileAlive(Promise.resolve(5)), 5);
  await subject.terminate();
});

test('whileAlive ends with peer_dead when the thread ends first', async (t) => {
  const subject = thread('process.exit(4);');
  const says = ['subject', 'running', 'exited with code 4'];
  const never = new Promise<void>(() => undefined);
  await rejects(t, subject.whileAlive(never), { code: 'peer_dead', says });
  await rejects(t, subject.whileAlive(never), { code: 'peer_dead', says });
});

test('a thread that ends within its grace is not ended by force', async (t) => {
  const subject = thread('1 + 1;');
  await subject.ended(60_000);
  t.is(await subject.exited, 'exited with code 0');
});

test('a thread that goes on for ever is ended after its grace', async (t) => {
  for (const code of [forever, 'for (;;);']) {
    const subject = thread(code);
    await subject.ended(5);
    t.regex(await subject.exited, /^exited with code/);
  }
});
