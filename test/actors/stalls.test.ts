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
  /** A request of `rank` that waits for others; for none: behind what its device sent before. */
  const waiting = (rank: number, ...missing: number[]): Ticket<Entry> => {
    const ticket = new Ticket<Entry>(rank, { type: 'barrier', id: waits.size, deadlineMs: 0 });
    waits.set(ticket, missing);
    return ticket;
  };
  return { pulses, told, stalls, waiting };
}

test('one that has done nothing for as long as calls may wait has stalled: those who wait get more time', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(0, 4990).set(1, 3950);
  const [first, second] = [waiting(0, 1), waiting(2, 1)];
  t.deepEqual(
    [...stalls.delays([first, second], 5000)],
    [
      [first, 6000],
      [second, 6000],
    ],
  );
  t.deepEqual(told, ['1 did nothing for 1050 ms']); // Once.
});

test('one that works is only late', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 4600);
  t.is(stalls.delays([waiting(0, 1), waiting(2)], 5000).size, 0);
  t.deepEqual(told, []);
});

test('where it is not sure yet, those who wait do until it is, and once only', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  const ticket = waiting(0, 1);
  pulses.set(1, 4300);
  t.deepEqual([...stalls.delays([ticket], 5000)], [[ticket, 5300]]);
  pulses.set(1, 5100); // It was computing.
  t.is(stalls.delays([ticket], 5300).size, 0);
  pulses.set(1, 5100);
  t.deepEqual([...stalls.delays([waiting(0, 1)], 6150).values()], [7150]);
  t.deepEqual(told, ['1 did nothing for 1050 ms']);
});

test('a request is put off twice at most, whoever it waits for', (t) => {
  const { pulses, stalls, waiting } = watch();
  const ticket = waiting(0, 1, 2);
  pulses.set(1, 0).set(2, 0);
  let nowMs = 5000;
  for (const size of [1, 1, 0]) {
    const delays = stalls.delays([ticket], nowMs);
    t.is(delays.size, size);
    for (const [, untilMs] of delays) ticket.delay((nowMs = untilMs));
  }
});

test('what waits behind a request that is put off waits with it', (t) => {
  const { pulses, stalls, waiting } = watch();
  pulses.set(1, 3900);
  const [first, behind, other] = [waiting(0, 1), waiting(0), waiting(2)];
  const delays = stalls.delays([behind, first, other], 5000);
  t.deepEqual([delays.get(first), delays.get(behind), delays.get(other)], [6000, 6000, undefined]);
});

test('after a sleep of the whole process nobody has stalled', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  pulses.set(1, 1000);
  const ticket = waiting(0, 1);
  stalls.forgive(900_000);
  t.is(stalls.delays([ticket], 900_000).size, 0);
  t.deepEqual(told, []);
  t.is(stalls.delays([waiting(0, 1)], 901_000).size, 1); // Still nothing.
  t.is(told.length, 1);
});

test('a device whose pulse nobody hears has not stalled; its next incarnation may stall again', (t) => {
  const { pulses, told, stalls, waiting } = watch();
  t.is(stalls.delays([waiting(0, 1)], 5000).size, 0);
  pulses.set(1, 3000);
  stalls.delays([waiting(0, 1)], 5000);
  stalls.returned(1);
  stalls.delays([waiting(0, 1)], 5000);
  t.is(told.length, 2);
});
