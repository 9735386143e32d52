import { repeat, type Variant } from './harness.js';

/** Bytes that a piece of work must move, whoever does it. */
export interface Traffic {
  /** Read, from as many bytes of memory. */
  readonly read: number;
  /** Written where they were read. */
  readonly updated?: number;
  /** Written to other memory. */
  readonly written?: number;
}

/** The name of the variant that `byteLimit` makes. */
export const limitName = 'limit';

/** All bytes of `traffic`, each way. */
export function bytesMoved({ read, updated = 0, written = 0 }: Traffic): number {
  return read + updated + written;
}

/**
 * The machine's limit for one thread that moves these bytes and computes nothing. What must be read
 * is read by the C library's `memcmp`, one half against the other; what must be written is filled by
 * its `memset`. Both are the fastest loops that the machine has for their purpose, and they touch as
 * much memory as the work they stand for, so that caches help them as much.
 */
export function byteLimit({ read, updated = 0, written = 0 }: Traffic): Variant {
  // Not zeros: pages of zeros that nobody has written are all the same memory.
  const source = Buffer.alloc(read, 1);
  const half = read >> 1;
  const [one, other] = [source.subarray(0, half), source.subarray(half, 2 * half)];
  const sameBytes = source.subarray(0, updated);
  const otherBytes = Buffer.alloc(written);
  let compared = -1;
  return {
    run: repeat(() => {
      // In the order of the work: what is updated is written soon after it was read.
      compared = Buffer.compare(one, other);
      sameBytes.fill(1);
      otherBytes.fill(1);
    }),
    check: { holds: () => compared === 0 && otherBytes.every((byte) => byte === 1) },
  };
}
