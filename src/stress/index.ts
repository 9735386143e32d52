/**
 * `tensorkv/stress`: checks that a store kept its promises to concurrent callers. See
 * docs/reliability.md.
 */
export * from '../history/index.js';
export { stress, type Output } from './command.js';
export type { Scenario } from './scenario.js';
