/** A step of the coordinator at which it dies. */
export interface Step {
  /** A method, as `test/workers/doom.ts` finds it. */
  readonly at: string;
  readonly when: 'before' | 'after';
  /** How often it happens at least, if nobody dies. */
  readonly times: number;
  /** Whether it is a step of a store that is leased to the engine, as stores with optimizers are. */
  readonly isLeased: boolean;
}

/** Steps of every request, of pushes, pulls, settings, inits, barriers, views and saves. */
const ofCoordinator = [
  'coordinator.Coordinator.receive',
  'device-tables.DeviceTables.decode',
  'device-tables.DeviceTables.takeEarly',
  'open-tickets.OpenTickets.add',
  'open-tickets.OpenTickets.delete',
  'collective.Collective.admit',
  'collective.Collective.arrive',
  'collective.Collective.hold',
  'inits.Inits.run',
  'key-table.KeyTable.create',
  'key-table.KeyTable.pushGroups',
  'key-table.KeyTable.pullGroups',
  'announcements.Announcements.keys',
  'rounds.Rounds.submit',
  'rounds.Rounds.resume',
  'update-rule.UpdateRule.admit',
  'update-rule.UpdateRule.valuesOf',
  'update-rule.UpdateRule.apply',
  'pulls.Pulls.serve',
  'pins.Pins.pin',
  'pins.Pins.release',
  'state-queue.StateQueue.add',
  'state-queue.StateQueue.takeDue',
  'state-calls.StateCalls.run',
  'fs.fs.openSync',
  'fs.fs.writeSync',
  'fs.fs.fsyncSync',
  'fs.fs.renameSync',
  'fs.fs.closeSync',
  'port.MessagePort.postMessage',
  'deadline-clock.DeadlineClock.watch',
];

/** Steps of a lease and its recall. */
const ofLease = [
  'engine-lease.EngineLease.recall',
  'engine-lease.EngineLease.grant',
  'engine-lease.EngineLease.touch',
  'open-tickets.OpenTickets.addOld',
  'pins.Pins.takeHeld',
  'members.Members.live',
  'configuring.Configuring.run',
  'update-rule.UpdateRule.change',
];

/** What happens in some rounds alone, or once. */
const seldom: Readonly<Record<string, number>> = {
  'configuring.Configuring.run': 1,
  'update-rule.UpdateRule.change': 3,
};
const often = 8;

const timesOf = (at: string): number =>
  seldom[at] ?? (/Collective|Inits|State|fs|create|Announcements/.test(at) ? 4 : often);

/** Every step, before and after what it does. */
export const steps: readonly Step[] = [
  { at: 'update', when: 'before', times: often, isLeased: false },
  ...(['before', 'after'] as const).flatMap((when) => [
    ...ofCoordinator.map((at) => ({ at, when, times: timesOf(at), isLeased: false })),
    ...ofLease.map((at) => ({ at, when, times: timesOf(at), isLeased: true })),
  ]),
];
