/**
 * `tensorkv/stress`: checks that a store kept its promises to concurrent callers. See
 * docs/reliability.md.
 */
export * from '../history/index.js';
