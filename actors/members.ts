import { KVStoreError } from '../src/core/errors.js';
import type { OnDeath, Rank } from '../src/core/protocol.js';

/** `absent`: dead, and to come back as a new incarnation, for which everyone waits. */
type State = 'live' | 'absent' | 'left' | 'dead';

/**
 * The devices of a store: who is live, who left in good order, who died and of what. Ranks are given
 * in turn and never to another device; one that died may come back as its next incarnation.
 */
export class Members {
  readonly #states: State[];
  readonly #causes = new Map<Rank, string>();
  readonly #onDeath: OnDeath;
  /** Asked for at every push, changed at a death: kept ready. */
  #live: readonly Rank[] = [];
  #fatal: readonly Rank[] = [];

  constructor(workers: number, onDeath: OnDeath) {
    this.#states = Array.from({ length: workers }, () => 'live');
    this.#onDeath = onDeath;
    this.#sort();
  }

  /**
   * Takes `rank` in: the next that was not given yet, or the new incarnation of one that is absent.
   * Undefined if it is in already.
   */
  join(rank: Rank): 'new' | 'back' | undefined {
    const state = this.#states[rank];
    if (rank !== this.#states.length && state !== 'absent') return undefined;
    this.#states[rank] = 'live';
    this.#causes.delete(rank);
    this.#sort();
    return state === 'absent' ? 'back' : 'new';
  }

  /**
   * Marks `rank` as gone: in good order without a `cause`; else dead of it, and `absent` if it
   * `returns`. Once only, but an absent one may still turn out to be dead.
   */
  depart(rank: Rank, cause: string | undefined, returns = false): boolean {
    const state = this.#states[rank];
    if (state !== 'live' && !(state === 'absent' && !returns)) return false;
    this.#states[rank] = cause === undefined ? 'left' : returns ? 'absent' : 'dead';
    if (cause !== undefined) this.#causes.set(rank, cause);
    this.#sort();
    return true;
  }

  /** How many ranks have been given: they are 0 up to it. */
  get size(): number {
    return this.#states.length;
  }

  isLive(rank: Rank): boolean {
    return this.#states[rank] === 'live';
  }

  /** Whether `rank` is live, or comes back. */
  isAwaited(rank: Rank): boolean {
    return this.isLive(rank) || this.#states[rank] === 'absent';
  }

  /** Ranks that a round needs, ascending: live ones, and those that come back. */
  live(): readonly Rank[] {
    return this.#live;
  }

  /** Dead ranks whose absence ends what waits for everyone; none under `onDeath: 'continue'`. */
  fatal(): readonly Rank[] {
    return this.#fatal;
  }

  get liveCount(): number {
    return this.#inState('live').length;
  }

  get deadCount(): number {
    return this.#causes.size;
  }

  /** The failure of `waiting`, which needs `rank`. */
  departed(rank: Rank, waiting: string, key?: string | number): KVStoreError {
    const cause = this.#causes.get(rank);
    const how = cause === undefined ? 'left' : `died (${cause})`;
    return new KVStoreError('peer_dead', `${waiting} expected rank ${rank}, which ${how}`, {
      key,
      rank,
    });
  }

  #sort(): void {
    this.#live = this.#inState('live', 'absent');
    this.#fatal = this.#onDeath === 'continue' ? [] : this.#inState('dead');
  }

  #inState(...states: State[]): Rank[] {
    return this.#states.flatMap((each, rank) => (states.includes(each) ? [rank] : []));
  }
}
