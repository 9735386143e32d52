import { fromFailure, KVStoreError, placed, type Failure } from '../src/core/errors.js';
import {
  monotonicMs,
  rulesPerWord,
  type FromCoordinator,
  type Released,
  type RequestBody,
  type ToCoordinator,
} from '../src/core/protocol.js';
import { Fifo } from './fifo.js';
import type { Link } from './link.js';

/** An answered request. */
export type Done = FromCoordinator & { readonly type: 'done' };

type Update = FromCoordinator & { readonly type: 'update' };
type Notice = FromCoordinator & { readonly type: 'keys' | 'optimizer' };

export interface MailboxOptions {
  /** How long a request may wait for other devices, in milliseconds. */
  readonly timeoutMs: number;
  /** Requests that may be unanswered at once; more wait for a place. */
  readonly capacity?: number;
  /** Requests that may wait for a place; more are refused. */
  readonly mostWaiting?: number;
  /** Runs this device's updater function. */
  readonly onUpdate: (update: Update) => Failure | undefined;
  /** Hears of changes that nobody here asked for. */
  readonly onNotice: (notice: Notice) => void;
  /** The coordinator stopped answering; every call has been rejected. */
  readonly onLost?: (error: KVStoreError) => void;
}

/** A request, while its mailbox addresses it. */
type Addressed = RequestBody & { id: number; deadlineMs: number };

interface Waiting {
  /** Has no id before it is sent. */
  readonly request: Addressed;
  /** Whether it went to the coordinator; else it took the direct way. */
  isPosted: boolean;
  readonly resolve: (done: Done) => void;
  readonly reject: (error: KVStoreError) => void;
}

/** A coordinator ends what has waited too long itself; past this much more it counts as hung. */
const graceMs = 2000;
/**
 * The coordinator ends the oldest, or says how long it is put off: until then nobody gives up for want of
 * a place.
 */
const placeGraceMs = 1000;
/** How long a thread blocks before it looks at deadlines, or can be ended. */
const sliceMs = 50;
const defaultCapacity = 1024;
/** Each keeps some 2 KB alive, besides the tensors of its caller. */
const defaultMostWaiting = 65_536;

/**
 * A device's requests on their way: bounded, in order, each with a deadline. What is asked within
 * one microtask goes out as one message.
 */
export class Mailbox {
  readonly #link: Link;
  readonly #options: MailboxOptions;
  readonly #capacity: number;
  readonly #mostWaiting: number;
  readonly #unanswered = new Map<number, Waiting>();
  /** How many of them went to the coordinator: while there are any, the others follow them. */
  #posted = 0;
  /** Requests without a place, oldest first. */
  readonly #queue = new Fifo<Waiting>();
  #outbox: ToCoordinator[] = [];
  /** The last of these messages; while it is the last in the outbox, more can be added. */
  #released: (Released & { readonly pins: number[] }) | undefined;
  #lastId = 0;
  #heardMs = 0;
  #rulesHeard = 0;
  #closed: KVStoreError | undefined;
  #watch: NodeJS.Timeout | undefined;
  #keepsAlive = false;
  /** Whether a blocking call is under way: it sends what is in the outbox. */
  #isBlocked = false;

  constructor(link: Link, options: MailboxOptions) {
    this.#link = link;
    this.#options = options;
    this.#capacity = options.capacity ?? defaultCapacity;
    this.#mostWaiting = options.mostWaiting ?? defaultMostWaiting;
    link.pulse?.beat(monotonicMs());
    link.listen((batch) => this.#receive(batch));
    link.direct?.listen((ids, count) => {
      for (let i = 0; i < count; i++) this.#finish({ type: 'done', id: ids[i]! });
      this.#keepAlive();
    });
  }

  /** Requests without an answer yet. */
  get inFlight(): number {
    return this.#unanswered.size + this.#queue.length;
  }

  /**
   * Sends a request, whose `body` becomes the message, and resolves with its answer. Rejects with the
   * coordinator's failure, `queue_full` when there was no place in time or too many wait for one, or
   * what the mailbox was closed with.
   */
  request(body: RequestBody): Promise<Done> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      this.#accept(body, resolve, reject);
      this.#keepWatch();
    });
  }

  /**
   * As `request`, and blocks this thread until the answer has come. Throws what `request` rejects
   * with, and `unsupported` on a thread that must not block.
   */
  requestSync(body: RequestBody): Done {
    if (this.#closed) throw placed(this.#closed);
    const { wait } = this.#link;
    if (wait === undefined) {
      const message = 'a blocking call expected a worker thread: the main thread must not block';
      throw new KVStoreError('unsupported', message);
    }
    let answer: Done | KVStoreError | undefined;
    const end = (how: Done | KVStoreError): void => void (answer = how);
    this.#isBlocked = true;
    try {
      this.#accept(body, end, end);
      this.#flush(true);
      for (let lookMs = monotonicMs() + sliceMs; answer === undefined;) {
        wait(sliceMs);
        this.#flush(); // An updater may have run, and calls without a place may have got one.
        if (answer !== undefined || monotonicMs() < lookMs) continue;
        this.#checkDeadlines();
        lookMs = monotonicMs() + sliceMs;
      }
    } finally {
      this.#isBlocked = false;
      // A call that waited for a place may have got it at last.
      if (this.#outbox.length > 0) this.#flushSoon();
      this.#keepAlive();
    }
    if (answer instanceof KVStoreError) throw placed(answer);
    return answer;
  }

  #accept(body: RequestBody, resolve: Waiting['resolve'], reject: Waiting['reject']): void {
    const request = body as Addressed;
    const nowMs = monotonicMs();
    this.#link.pulse?.beat(nowMs);
    request.deadlineMs = nowMs + this.#options.timeoutMs;
    const waiting: Waiting = { request, isPosted: false, resolve, reject };
    const hasPlace = this.#queue.length === 0 && this.#unanswered.size < this.#capacity;
    // Who leaves waits for nothing: what has no place yet is never sent.
    if (hasPlace || body.type === 'leave') this.#send(waiting);
    // Nobody waits for the answer to a new option, or would set it again.
    else if (this.#queue.length < this.#mostWaiting || body.type === 'setHyper')
      this.#queue.push(waiting);
    else
      reject(fullError(body, `fewer than ${this.#mostWaiting} requests before it without a place`));
  }

  /** Tells of views that are no longer held, one by one or many; nothing once the mailbox is closed. */
  release(pins: readonly number[]): void {
    if (this.#closed) return;
    if (this.#released !== undefined && this.#released === this.#outbox.at(-1)) {
      for (const pin of pins) this.#released.pins.push(pin);
      return;
    }
    this.#released = { type: 'release', pins: [...pins] };
    this.#post(this.#released);
  }

  /** Rejects all that is unanswered, and every later request, with `error`. */
  close(error: KVStoreError): void {
    if (this.#closed) return;
    this.#closed = error;
    const waiting = [...this.#unanswered.values(), ...this.#queue.takeAll()];
    this.#unanswered.clear();
    clearTimeout(this.#watch);
    this.#link.close();
    for (const { reject } of waiting) reject(error);
  }

  #send(waiting: Waiting): void {
    this.#lastId += 1;
    waiting.request.id = this.#lastId;
    this.#unanswered.set(this.#lastId, waiting);
    this.#post(waiting.request);
  }

  #post(message: ToCoordinator): void {
    this.#outbox.push(message);
    if (this.#outbox.length > 1 || this.#isBlocked) return;
    this.#flushSoon();
  }

  #flushSoon(): void {
    queueMicrotask(() => this.#flush());
  }

  /** Sends all that waits: what is plain directly, unless it would overtake what was posted. */
  #flush(blocks = false): void {
    const batch = this.#outbox;
    if (batch.length === 0 || this.#closed) return;
    this.#outbox = [];
    const taken = this.#posted === 0 ? (this.#link.direct?.submit(batch, blocks) ?? 0) : 0;
    const rest = taken === 0 ? batch : batch.slice(taken);
    for (const message of rest) {
      const waiting = 'id' in message ? this.#unanswered.get(message.id) : undefined;
      if (waiting === undefined) continue;
      waiting.isPosted = true;
      this.#posted += 1;
    }
    if (rest.length > 0) this.#link.post(rest);
    this.#keepAlive();
  }

  #keepAlive(): void {
    const on = this.#unanswered.size > 0;
    if (on === this.#keepsAlive || this.#isBlocked) return;
    this.#keepsAlive = on;
    this.#link.keepAlive(on);
  }

  #receive(batch: readonly FromCoordinator[]): void {
    this.#heardMs = monotonicMs();
    for (const message of batch) {
      switch (message.type) {
        case 'done':
          this.#finish(message);
          break;
        case 'failed':
          this.#link.direct?.givenTo(message.id); // Nobody gets them.
          this.#take(message.id)?.reject(fromFailure(message.failure));
          break;
        case 'delayed':
          this.#delay(message);
          break;
        case 'update':
          this.#update(message);
          break;
        case 'optimizer':
          if (++this.#rulesHeard % rulesPerWord === 0) this.#post({ type: 'heard' });
          this.#options.onNotice(message);
          break;
        case 'keys':
          this.#options.onNotice(message);
          break;
      }
    }
    this.#keepAlive();
  }

  #finish(message: Done): void {
    const given = this.#link.direct?.givenTo(message.id);
    this.#take(message.id)?.resolve(given === undefined ? message : { ...message, ...given });
  }

  #delay({ id, deadlineMs }: FromCoordinator & { readonly type: 'delayed' }): void {
    const waiting = this.#unanswered.get(id);
    if (waiting !== undefined) waiting.request.deadlineMs = deadlineMs;
  }

  #update(update: Update): void {
    this.#link.pulse?.beat(monotonicMs());
    const failure = this.#options.onUpdate(update);
    this.#link.pulse?.beat(monotonicMs());
    const answer = { type: 'updated', update: update.update } as const;
    this.#post(failure === undefined ? answer : { ...answer, failure });
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (waiting?.isPosted === true) this.#posted -= 1;
    const next = this.#queue.shift();
    if (next) this.#send(next);
    return waiting;
  }

  /** Looks at deadlines now and then, as long as something waits. */
  #keepWatch(): void {
    if (this.#watch !== undefined || !Number.isFinite(this.#options.timeoutMs)) return;
    const periodMs = Math.min(Math.max(this.#options.timeoutMs / 4, 10), 500);
    const dueMs = monotonicMs() + periodMs;
    this.#watch = setTimeout(() => {
      this.#watch = undefined;
      // This thread was busy, and answers may lie in the port: timers run before they are read.
      if (monotonicMs() > dueMs + periodMs) this.#heardMs = monotonicMs();
      this.#checkDeadlines();
      if (!this.#closed && this.inFlight > 0) this.#keepWatch();
    }, periodMs).unref();
  }

  #checkDeadlines(): void {
    const nowMs = monotonicMs();
    const [oldest] = this.#unanswered.values();
    if (oldest === undefined) return; // Then none waits for a place either.
    this.#link.pulse?.beat(nowMs);
    const { deadlineMs } = oldest.request;
    // Those who wait for a place wait as long as the oldest, which may be put off.
    const lateMs = deadlineMs + placeGraceMs <= nowMs ? nowMs : -Infinity;
    while (this.#queue.first !== undefined && this.#queue.first.request.deadlineMs <= lateMs) {
      const { request, reject } = this.#queue.shift()!;
      reject(fullError(request, `a place among ${this.#capacity} open requests in time`));
    }
    if (deadlineMs <= nowMs && !oldest.isPosted) this.#link.post([{ type: 'overdue' }]);
    const silentSinceMs = Math.max(deadlineMs, this.#heardMs);
    if (nowMs < silentSinceMs + graceMs) return;
    const error = new KVStoreError('timeout', 'the coordinator of the store stopped answering');
    this.close(error);
    this.#options.onLost?.(error);
  }
}

function fullError({ type }: RequestBody, expected: string): KVStoreError {
  return new KVStoreError('queue_full', `${type} expected ${expected}`);
}
