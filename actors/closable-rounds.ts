import type { Elements } from '../src/core/device-array.js';
import { showKey, toFailure, type Failure } from '../src/core/errors.js';
import type { Rank } from '../src/core/protocol.js';
import type { Entry, PushPart } from './entry.js';
import type { RoundValues } from './round-values.js';
import type { Rule } from './rule.js';
import type { UpdateRule } from './update-rule.js';

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

/** Why a round of `entry` has failed: with its key, if the error names none. */
export function failureOf(error: unknown, { key }: Entry): Failure {
  const failure = toFailure(error, 'updater_error');
  return failure.key === undefined ? { ...failure, key } : failure;
}

/**
 * What the gradients of a call are multiplied by, undefined when the call is skipped; or why it cannot be
 * found: a device that is lost, or has no room for it.
 */
export function factorOf(
  updates: UpdateRule,
  rule: Rule,
  rounds: readonly ReadyRound[],
): { readonly factor?: number | undefined; readonly failure?: Failure } {
  if (rounds.length === 0) return {}; // Each has its own failure; the scale of losses learns nothing.
  try {
    return { factor: updates.callFactor(rule, rounds) };
  } catch (error) {
    return { failure: toFailure(error, 'updater_error') };
  }
}
