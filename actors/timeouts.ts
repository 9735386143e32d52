import { KVStoreError, showKey } from '../src/core/errors.js';
import type { Collective } from './collective.js';
import type { EntryTicket } from './entry.js';
import type { Closing } from './closing.js';

/** The failure of a request whose deadline has passed: it names who is missing. */
export function timeoutOf(
  ticket: EntryTicket,
  closing: Closing,
  collective: Collective,
): KVStoreError {
  const what = `${ticket.request.type} of rank ${ticket.rank}`;
  for (const entry of ticket.entries) {
    const missing = closing.missing(entry, ticket);
    if (missing.length === 0) continue;
    return timedOut(`${what} on ${showKey(entry.key)}`, missing, entry.key);
  }
  return timedOut(what, collective.missing(ticket));
}

function timedOut(what: string, missing: readonly number[], key?: string | number): KVStoreError {
  const who = missing.length === 0 ? '' : `, still missing: rank ${missing.join(', rank ')}`;
  return new KVStoreError('timeout', `${what} expected to end before its deadline${who}`, {
    key,
    rank: missing[0],
  });
}
