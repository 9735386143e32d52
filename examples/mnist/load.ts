import { cpus } from 'node:os';

/** How many cores other programs keep busy, from this call to that of the function it returns. */
export function meterOtherLoad(): () => number {
  const start = readClocks();
  return () => {
    const end = readClocks();
    const others = end.busyMs - start.busyMs - (end.ownMs - start.ownMs);
    return Math.max(0, others / (end.nowMs - start.nowMs));
  };
}

function readClocks(): { nowMs: number; busyMs: number; ownMs: number } {
  const own = process.cpuUsage();
  const busyMs = cpus()
    .map(({ times }) => times.user + times.nice + times.sys + times.irq)
    .reduce((sum, core) => sum + core, 0);
  return { nowMs: performance.now(), busyMs, ownMs: (own.user + own.system) / 1000 };
}
