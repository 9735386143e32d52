import { KVStoreError } from '../src/core/errors.js';
import type { OnDeath, Rank } from '../src/core/protocol.js';

type State = 'live' | 'left' | 'dead';

/** The devices of a store: who is live, who left in good order, who died and of what. */
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

  /** Marks `rank` as gone: dead of `cause`, or in good order without one. Once only. */
  depart(rank: Rank, cause: string | undefined): boolean {
    if (this.#states[rank] !== 'live') return false;
    this.#states[rank] = cause === undefined ? 'left' : 'dead';
    if (cause !== undefined) this.#causes.set(rank, cause);
    this.#sort();
    return true;
  }

  /** How many ranks there are: 0 up to it have been given. */
  get size(): number {
    return this.#states.length;
  }

  isLive(rank: Rank): boolean {
    return this.#states[rank] === 'live';
  }

  /** Live ranks, ascending. */
  live(): readonly Rank[] {
    return this.#live;
  }

  /** Dead ranks whose absence ends what waits for everyone; none under `onDeath: 'continue'`. */
  fatal(): readonly Rank[] {
    return this.#fatal;
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
    this.#live = this.#inState('live');
    this.#fatal = this.#onDeath === 'abort' ? this.#inState('dead') : [];
  }

  #inState(state: State): Rank[] {
    return this.#states.flatMap((each, rank) => (each === state ? [rank] : []));
  }
}
