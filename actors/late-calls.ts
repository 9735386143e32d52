import { KVStoreError, toFailure } from '../src/core/errors.js';
import type { FromCoordinator, Rank } from '../src/core/protocol.js';

/** What a device sends: a request has a number. */
interface Message {
  readonly type: string;
  readonly id?: number;
}

/** The answers to what an earlier incarnation of device `rank` sent, once there is a new one. */
export function lateAnswers(rank: Rank, batch: readonly Message[]): FromCoordinator[] {
  return batch.flatMap(({ id, type }) => {
    if (id === undefined) return [];
    const late = `${type} expected rank ${rank} as it runs now, but an earlier incarnation sent it`;
    const failure = toFailure(new KVStoreError('peer_dead', late, { rank }));
    return [{ type: 'failed', id, failure }];
  });
}
