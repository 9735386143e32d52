import test from 'ava';
import type { Entry } from '../../actors/entry.js';
import { Stalls } from '../../actors/stalls.js';
import { Ticket } from '../../actors/ticket.js';

const timeoutMs = 1000;

/** A watch over stalls, with pulses that a test sets, and what it has said. */
function watch() {
  const pulses = new Map<number, number>();
  const waits = new Map<Ticket<Entry>, readonly number[]>();
  const told: string[] = [];
  const stalls = new Stalls({
    timeoutMs,
    pulseOf: (rank) => pulses.get(rank),
    stalled: (rank, why) => told.push(`${rank} ${why}`),
    missing: (ticket) => waits.get(ticket) ?? [],
  });
  /** A request with a deadline, and the ranks that it waits for. */
  const waiting = (deadlineMs: number, ...missing: number[]): Ticket<Entry> => {
    const ticket = new Ticket<Entry>(0, { type: 'barrier', id: waits.size, deadlineMs });
    waits.set(ticket, missing);
    return ticket;
  };
  return { pulses, told, stalls, waiting };
}

test('one that has done nothing for as long as calls may wait has stalled, and what follows has its time', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(0, 4990).set(1, 3950);
  t.is(stalls.verdictMs([waiting(5000, 1), waiting(5000, 1)], 5000), 6000);
  t.deepEqual(told, ['1 did nothing for 1050 ms while others waited; timeoutMs is 1000']); // Once.
  // So have requests that give up before that.
  t.is(stalls.verdictMs([waiting(5500)], 5500), 6000);
  t.is(stalls.verdictMs([waiting(6000)], 6000), undefined);
});

test('one that works is only late', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 4600);
  t.is(stalls.verdictMs([waiting(5000, 1), waiting(5000)], 5000), undefined);
  t.deepEqual(told, []);
});

test('where it is not sure yet, all wait until it is', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 4300);
  t.is(stalls.verdictMs([waiting(5000, 1)], 5000), 5300);
  pulses.set(1, 5100); // It was computing.
  t.is(stalls.verdictMs([waiting(5300, 1)], 5300), undefined);
  t.is(stalls.verdictMs([waiting(6150, 1)], 6150), 7150);
  t.deepEqual(told, ['1 did nothing for 1050 ms while others waited; timeoutMs is 1000']);
});

test('one that others have not waited for long is not judged before they have', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 4990).set(2, 1000);
  // The first waits for rank 1, which waits for rank 2 itself, since a moment ago.
  const open = [waiting(5000, 1), waiting(5800, 2)];
  t.is(stalls.verdictMs(open, 5000), 5800);
  t.deepEqual(told, []);
  t.is(stalls.verdictMs(open, 5800), 6800);
  t.deepEqual(told, ['2 did nothing for 4800 ms while others waited; timeoutMs is 1000']);
});

test('after a sleep of the whole process all starts anew', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 1000);
  stalls.forgive(900_000);
  t.is(stalls.verdictMs([waiting(5000, 1)], 900_000), 901_000);
  t.deepEqual(told, []);
  t.is(stalls.verdictMs([waiting(901_000, 1)], 901_000), 902_000); // Still nothing.
  t.deepEqual(told, ['1 did nothing for 1000 ms while others waited; timeoutMs is 1000']);
});

test('a device whose pulse nobody hears has not stalled; its next incarnation may stall again', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  t.is(stalls.verdictMs([waiting(5000, 1)], 5000), undefined);
  pulses.set(1, 3000);
  stalls.verdictMs([waiting(5000, 1)], 5000);
  stalls.returned(1);
  stalls.verdictMs([waiting(6000, 1)], 6000);
  t.deepEqual(told, [
    '1 did nothing for 2000 ms while others waited; timeoutMs is 1000',
    '1 did nothing for 3000 ms while others waited; timeoutMs is 1000',
  ]);
});
