import type { RecorderMemory } from '../history/recorder.js';
import type { LogMemory } from './rules.js';
import type { Scenario } from './scenario.js';

/** What the devices of a run are given. */
export interface DeviceTask {
  readonly scenario: Scenario;
  /** By device. */
  readonly memories: readonly RecorderMemory[];
  /** For the updater of the `log` rule. */
  readonly log: LogMemory | undefined;
  /** In its first element: how many devices have started. */
  readonly here: Int32Array;
}

/** What a device says while it runs. */
export type DeviceReport =
  | { readonly type: 'started'; readonly threadId: number }
  /** It is to be terminated now. */
  | { readonly type: 'kill' };

/** What a device says at its end. */
export interface DeviceResult {
  /** What the store held after the first round, and at the end. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Calls without an answer, after all have ended. */
  readonly inFlight: number;
  /** Errors that no caller should have seen. */
  readonly problems: readonly string[];
}
