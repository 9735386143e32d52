/**
 * Histories of concurrent calls, and what is wrong with them.
 *
 * - `recorder.ts`: every device records what it calls and what comes back, in shared arrays of its own.
 * - `check-sums.ts`, `check-order.ts`: for stores that add, whether some order of all calls explains
 *   what was pulled, in n log n time. `check-rounds.ts`: for synchronous ones, beside that, rounds.
 *   `check-staleness.ts`: for those with a bound, how far devices drift apart.
 * - `search.ts`, `models.ts`: the same question for any kind of update, by searching.
 * - `replay.ts`, `check-versions.ts`: from a log of updates, the bytes of every version.
 * - `shrink.ts`, `lanes.ts`, `report-text.ts`, `report-html.ts`: the short part that is wrong, drawn.
 */
export { checkRounds } from './check-rounds.js';
export { checkStaleness } from './check-staleness.js';
export { checkSums, lanesFor, type Lanes } from './check-sums.js';
export { checkVersions } from './check-versions.js';
export { assignModel, foldModel, gaveAssigned, sumModel, type Fold } from './models.js';
export {
  byKey,
  type Operation,
  type OperationKind,
  type Outcome,
  type Violation,
} from './operation.js';
export {
  readHistory,
  Recorder,
  recorderMemories,
  type RecorderMemory,
  type RecorderSize,
} from './recorder.js';
export { checkReplay, type Replay, type UpdateLog } from './replay.js';
export { reportHtml } from './report-html.js';
export { violationText } from './report-text.js';
export { search, type Model, type Verdict } from './search.js';
export { shrink, type Shrinking } from './shrink.js';
