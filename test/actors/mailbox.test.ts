import test from 'ava';
import type { Link } from '../../actors/link.js';
import { Mailbox, type MailboxOptions } from '../../actors/mailbox.js';
import { KVStoreError } from '../../src/index.js';
import {
  rulesPerWord,
  type FromCoordinator,
  type Request,
  type RequestBody,
  type ToCoordinator,
} from '../../src/core/protocol.js';
import { watch } from '../helpers/inline-group.js';
import { rejects } from '../helpers/workers.js';

/** A link whose other end is the test. */
class TestLink implements Link {
  readonly batches: (readonly ToCoordinator[])[] = [];
  readonly kept: boolean[] = [];
  closed = false;
  #onBatch: (batch: readonly FromCoordinator[]) => void = () => undefined;
  #alive: NodeJS.Timeout | undefined;

  post(batch: readonly ToCoordinator[]): void {
    this.batches.push(batch);
  }

  listen(onBatch: (batch: readonly FromCoordinator[]) => void): void {
    this.#onBatch = onBatch;
  }

  keepAlive(on: boolean): void {
    this.kept.push(on);
    clearInterval(this.#alive);
    if (on) this.#alive = setInterval(() => undefined, 1e6);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.#alive);
  }

  answer(...batch: FromCoordinator[]): void {
    this.#onBatch(batch);
  }

  /** Numbers of all requests so far. */
  get ids(): number[] {
    return this.batches.flat().map((message) => (message as Request).id);
  }
}

function mailboxOn(link: Link, options: Partial<MailboxOptions> = {}): Mailbox {
  return new Mailbox(link, {
    timeoutMs: 300_000,
    onUpdate: () => undefined,
    onNotice: () => undefined,
    ...options,
  });
}

const posted = (): Promise<void> => Promise.resolve();
/** A body is for one request. */
const barrier = (): RequestBody => ({ type: 'barrier' });

test('what is asked within one microtask goes out as one batch, in order', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link);
  const calls = [
    mailbox.request(barrier()),
    mailbox.request(barrier()),
    mailbox.request(barrier()),
  ];
  t.is(link.batches.length, 0);
  await posted();
  t.deepEqual(link.ids, [1, 2, 3]);
  t.is(link.batches.length, 1);
  t.is(mailbox.inFlight, 3);
  link.answer({ type: 'done', id: 2 }, { type: 'done', id: 1 }, { type: 'done', id: 3 });
  t.deepEqual(
    (await Promise.all(calls)).map(({ id }) => id),
    [1, 2, 3],
  );
  t.is(mailbox.inFlight, 0);
});

test('a failure that crossed a thread is a KVStoreError again', async (t) => {
  const link = new TestLink();
  const call = mailboxOn(link).request(barrier());
  await posted();
  const failure = { code: 'peer_dead', message: 'gone', key: 'w', rank: 2, cause: 'E: x' } as const;
  link.answer({ type: 'failed', id: 1, failure });
  const error = await rejects(t, call, { code: 'peer_dead', key: 'w', rank: 2, says: ['gone'] });
  t.is(error.cause, 'E: x');
});

test('more requests than the capacity wait for a place, in order', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link, { capacity: 2 });
  const calls = [0, 1, 2, 3, 4].map(() => mailbox.request(barrier()));
  await posted();
  t.deepEqual(link.ids, [1, 2]);
  t.is(mailbox.inFlight, 5);
  link.answer({ type: 'done', id: 1 });
  const late = mailbox.request(barrier()); // Not before those that wait, though a place was free.
  await posted();
  t.deepEqual(link.ids, [1, 2, 3]);
  for (const id of [2, 3, 4, 5, 6]) {
    link.answer({ type: 'done', id });
    await posted();
  }
  t.deepEqual(
    (await Promise.all([...calls, late])).map(({ id }) => id),
    [1, 2, 3, 4, 5, 6],
  );
});

test('queue_full: what gets no place in time is refused and was never sent', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link, { capacity: 2, timeoutMs: 20 });
  const open = [mailbox.request(barrier()), mailbox.request(barrier())].map(watch);
  const says = ['barrier', '2 open requests'];
  await Promise.all(
    [1, 2].map(() => rejects(t, mailbox.request(barrier()), { code: 'queue_full', says })),
  );
  t.deepEqual(link.ids, [1, 2]);
  t.deepEqual(
    open.map(({ settled }) => settled),
    ['no', 'no'],
  );
  link.answer({ type: 'done', id: 1 });
  const next = mailbox.request(barrier());
  await posted();
  link.answer({ type: 'done', id: 3 });
  await next;
  mailbox.close(new KVStoreError('closed', 'enough'));
});

test('queue_full: where many wait for a place, more are refused at once', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link, { capacity: 1, mostWaiting: 2 });
  const calls = [1, 2, 3].map(() => mailbox.request(barrier()));
  const says = ['barrier', 'fewer than 2 requests'];
  await rejects(t, mailbox.request(barrier()), { code: 'queue_full', says });
  t.is(mailbox.inFlight, 3);
  // Nobody would hear that an option was not set.
  calls.push(mailbox.request({ type: 'setHyper', options: { lr: 1 } }));
  link.answer({ type: 'done', id: 1 });
  await posted();
  link.answer({ type: 'done', id: 2 });
  calls.push(mailbox.request(barrier())); // There is room again.
  for (const id of [3, 4, 5]) {
    await posted();
    link.answer({ type: 'done', id });
  }
  t.deepEqual(
    (await Promise.all(calls)).map(({ id }) => id),
    [1, 2, 3, 4, 5],
  );
});

test('a device says now and then that it has heard of rules', async (t) => {
  const link = new TestLink();
  mailboxOn(link);
  for (let i = 0; i < 3 * rulesPerWord - 1; i++) link.answer({ type: 'optimizer' });
  await posted();
  t.deepEqual(link.batches.flat(), [{ type: 'heard' }, { type: 'heard' }]);
});

test('the link keeps its thread alive just while something is unanswered', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link, { capacity: 1 });
  const calls = [mailbox.request(barrier()), mailbox.request(barrier())];
  await posted();
  t.is(link.kept.at(-1), true);
  link.answer({ type: 'done', id: 1 });
  await posted();
  t.is(link.kept.at(-1), true);
  link.answer({ type: 'done', id: 2 });
  t.is(link.kept.at(-1), false);
  await Promise.all(calls);
});

test('close rejects what is open, what waits and what comes', async (t) => {
  const link = new TestLink();
  const mailbox = mailboxOn(link, { capacity: 1 });
  const calls = [mailbox.request(barrier()), mailbox.request(barrier())];
  await posted();
  mailbox.close(new KVStoreError('peer_dead', 'first'));
  mailbox.close(new KVStoreError('closed', 'second'));
  t.true(link.closed);
  for (const call of [...calls, mailbox.request(barrier())]) {
    await rejects(t, call, { code: 'peer_dead', says: ['first'] });
  }
  t.is(mailbox.inFlight, 0);
  link.answer({ type: 'done', id: 1 }, { type: 'done', id: 99 });
});

test('an update is run and answered, with its failure if it has one', async (t) => {
  const link = new TestLink();
  const failure = { code: 'updater_error', message: 'no' } as const;
  const handle = { shape: [0], dtype: 'float32', data: new Float32Array(0) } as never;
  mailboxOn(link, { onUpdate: ({ key }) => (key === 'bad' ? failure : undefined) });
  const update = { type: 'update', handle: 1, input: handle, stored: handle } as const;
  link.answer({ ...update, update: 7, key: 'good' }, { ...update, update: 8, key: 'bad' });
  await posted();
  t.deepEqual(link.batches, [
    [
      { type: 'updated', update: 7 },
      { type: 'updated', update: 8, failure },
    ],
  ]);
});

test('a call that went the direct way and failed lets go of its fresh tensors', async (t) => {
  const asked: number[] = [];
  const direct = {
    submit: (batch: readonly ToCoordinator[]) => batch.length,
    listen: () => undefined,
    givenTo: (id: number) => void asked.push(id),
  };
  const link = Object.assign(new TestLink(), { direct });
  const mailbox = mailboxOn(link);
  const pull = mailbox.request({ type: 'pull', pull: [{ key: 0, tensors: [] }] });
  await posted();
  link.answer({ type: 'failed', id: 1, failure: { code: 'timeout', message: 'late' } });
  await rejects(t, pull, { code: 'timeout' });
  t.deepEqual(asked, [1]);
});

test('what gets a place as a blocking call ends is sent', async (t) => {
  let tell: (ids: Float64Array, count: number) => void = () => undefined;
  const direct = {
    submit: (batch: readonly ToCoordinator[]) => {
      if (batch[0]!.type !== 'updated') return batch.length;
      tell(Float64Array.of(1), 1); // The blocking call has ended meanwhile.
      return 0;
    },
    listen: (listener: typeof tell) => (tell = listener),
    givenTo: () => undefined,
  };
  const handle = { shape: [0], dtype: 'float32', data: new Float32Array(0) } as never;
  const update = { type: 'update', handle: 1, input: handle, stored: handle, key: 0 } as const;
  let later: Promise<unknown> | undefined;
  const link = Object.assign(new TestLink(), {
    direct,
    wait: () => {
      later = mailbox.request(barrier()); // There is room for one: it gets no place yet.
      link.answer({ ...update, update: 7 });
    },
  });
  const mailbox = mailboxOn(link, { capacity: 1 });
  t.is(mailbox.requestSync({ type: 'push', push: [] }).id, 1);
  await posted();
  tell(Float64Array.of(2), 1);
  t.is(((await later) as { readonly id: number }).id, 2);
  t.is(mailbox.inFlight, 0);
});
