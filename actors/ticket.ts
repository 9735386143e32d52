import type { Failure } from '../src/core/errors.js';
import type {
  FromCoordinator,
  PinnedTensor,
  Rank,
  Request,
  WireTensor,
} from '../src/core/protocol.js';

/** A request that can wait; to leave is carried out at once. */
export type CallRequest = Exclude<Request, { readonly type: 'leave' }>;

/**
 * One request on its way: counts the parts that are still open and remembers the first failure.
 * A request over several keys has a push part and a pull part for each.
 */
export class Ticket<Entry> {
  readonly rank: Rank;
  readonly request: CallRequest;
  /** Of all its parts. */
  readonly priority: number;
  /** Entries whose lanes hold parts of this request. */
  readonly entries = new Set<Entry>();
  /** Tensors made for pulls without an out, in order of the request's groups. */
  readonly fresh: WireTensor[] = [];
  /** Whether a pull asks for views; then `views` holds them instead. */
  readonly wantsViews: boolean;
  readonly views: PinnedTensor[] = [];
  /** Entries on which a push of this request is open. */
  readonly pushes = new Set<Entry>();
  /** When its device gives up. */
  deadlineMs: number;
  /** How often that was put off. */
  delays = 0;
  failure: Failure | undefined;
  #openPushes = 0;
  #openPulls = 0;

  constructor(rank: Rank, request: CallRequest) {
    this.rank = rank;
    this.request = request;
    this.deadlineMs = request.deadlineMs;
    this.wantsViews = request.type === 'pull' && request.view === true;
    this.priority = ('priority' in request ? request.priority : undefined) ?? 0;
  }

  /** Whether the pulls may write: every push of the request has been read. */
  get mayPull(): boolean {
    return this.#openPushes === 0;
  }

  get isSettled(): boolean {
    return this.#openPushes === 0 && this.#openPulls === 0;
  }

  /** What its device is told once it has ended. */
  answer(failure: Failure | undefined): FromCoordinator {
    const { id } = this.request;
    if (failure !== undefined) return { type: 'failed', id, failure };
    const fresh = this.fresh.length === 0 ? {} : { fresh: this.fresh };
    const views = this.views.length === 0 ? {} : { views: this.views };
    return { type: 'done', id, ...fresh, ...views };
  }

  /** Its device waits until `deadlineMs`; it is to be told. */
  delay(deadlineMs: number): FromCoordinator {
    this.delays += 1;
    this.deadlineMs = deadlineMs;
    return { type: 'delayed', id: this.request.id, deadlineMs };
  }

  addPush(entry: Entry): void {
    this.entries.add(entry);
    this.pushes.add(entry);
    this.#openPushes += 1;
  }

  addPull(entry: Entry): void {
    this.entries.add(entry);
    this.#openPulls += 1;
  }

  endPush(entry: Entry, failure?: Failure): void {
    this.pushes.delete(entry);
    this.#openPushes -= 1;
    this.failure ??= failure;
  }

  endPull(failure?: Failure): void {
    this.#openPulls -= 1;
    this.failure ??= failure;
  }
}
