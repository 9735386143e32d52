import { checkSums } from './check-sums.js';
import type { Operation, Violation } from './operation.js';

/**
 * Whether the numbers of versions that pulls of one key named fit the times of pushes, where each push
 * makes one version: at least as many as had been acknowledged, at most as many as were called, and
 * never back.
 */
export function checkVersions(history: readonly Operation[]): Violation | undefined {
  const devices = Math.max(0, ...history.map(({ device }) => device + 1));
  const numbered = history.map((each) => {
    if (each.kind === 'push') return each;
    const version = each.version ?? Number.NaN;
    return { ...each, seen: Float32Array.of(version, version) };
  });
  return checkSums(numbered, { count: 1, ofDevice: Array.from({ length: devices }, () => [0]) });
}
