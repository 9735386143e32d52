import type { Elements } from '../src/core/device-array.js';
import { showKey, type Failure } from '../src/core/errors.js';
import type { Rank } from '../src/core/protocol.js';
import type { Entry, PushPart } from './entry.js';
import type { RoundValues } from './round-values.js';

/** A round with its values, in order. */
export interface ReadyRound extends ClosableRound {
  readonly values: RoundValues;
  readonly inputs: readonly Elements[];
}

/** A round that can close. */
export interface ClosableRound {
  readonly entry: Entry;
  readonly ranks: readonly Rank[];
}

/** The pushes of a round, in order of ranks. */
export function pushesOf(entry: Entry, ranks: readonly Rank[]): PushPart[] {
  return ranks.map((rank) => entry.pushOf(rank)!);
}

/** What a round's other ranks hear when `rank` takes its part back while the update is running. */
export function shared(failure: Failure, rank: Rank, { key, version }: Entry): Failure {
  if (failure.code !== 'closed') return failure;
  const message = `round ${version} of ${showKey(key)} expected rank ${rank}, which closed its store`;
  return { code: 'peer_dead', message, key, rank };
}
