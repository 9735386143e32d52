import type { FromCoordinator, Rank } from '../src/core/protocol.js';
import type { Closing } from './closing.js';
import type { DeviceWork } from './device-work.js';
import type { EntryTicket } from './entry.js';
import type { Members } from './members.js';
import type { Pulls } from './pulls.js';
import type { UpdateRule } from './update-rule.js';

/** What rounds need of the coordinator around them. */
export interface RoundsContext {
  readonly members: Members;
  readonly closing: Closing;
  readonly updates: UpdateRule;
  readonly pulls: Pulls;
  /** What is kept back for CUDA devices. */
  readonly work: DeviceWork;
  /** Sends to a device. */
  send(to: Rank, message: FromCoordinator): void;
  /** Called once for each ticket whose parts have all ended. */
  settle(ticket: EntryTicket): void;
  /** Called for each new version. */
  applied(): void;
}
