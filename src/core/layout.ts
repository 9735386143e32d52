/**
 * Byte layout of every structure that threads share. Offsets are in bytes unless a name says words.
 *
 * Tensor of more than `smallTensorBytes`, one buffer each (page-aligned because it is growable):
 *
 *   0            stagger             stagger + size      padded
 *   +------------+-------------------+-------------------+
 *   | (unused)   | elements          | up to 64 bytes    |
 *   +------------+-------------------+-------------------+
 *   stagger = (n mod 16) * 256: equally aligned tensors fight for the same cache sets, so the n-th
 *   tensor of a thread starts in another set. Always a multiple of 64, a cache line.
 *
 * From `hugePageBytes` on, the unused part ends on a huge page, as far as the addon can tell:
 *
 *   0            huge page    + stagger           + size
 *   +------------+------------+-------------------+-------------------+
 *   | (never     | (unused)   | elements          | what is left of   |
 *   |  touched)  |            |                   | hugePageBytes     |
 *   +------------+------------+-------------------+-------------------+
 *
 * Small tensors, many to a slab of `slabBytes`, each on its own cache lines so that two devices
 * never write one line:
 *
 *   0          64         192                     slabBytes
 *   +----------+----------+------- - - - ---------+
 *   | tensor 0 | tensor 1 | ...                   |
 *   +----------+----------+------- - - - ---------+
 *
 * Status block of a store, written by its coordinator (`ended` also by who has started it), read by
 * every device (Int32 words, then BigInt64 words, then Int32 words):
 *
 *   0        4        8        12       16         24         32        36     40
 *   +--------+--------+--------+--------+----------+----------+---------+------+
 *   | live   | dead   | keys   | posts  | updates  | bytes    | workers | ended|
 *   +--------+--------+--------+--------+----------+----------+---------+------+
 */

/** A cache line: tensors start on one and own all they touch. */
export const lineBytes = 64;

/** Tensors up to this size share a slab. */
export const smallTensorBytes = 4096;

/** A huge page: one entry of the processor's address cache covers as much as 512 small ones do. */
export const hugePageBytes = 2 * 1024 * 1024;

/** Size of one slab of small tensors. */
export const slabBytes = 256 * 1024;

const staggerStepBytes = 256;
const staggerSteps = 16;

/** Where the n-th large tensor of a thread starts inside its buffer. */
export function staggerOf(n: number): number {
  return (n % staggerSteps) * staggerStepBytes;
}

/** `bytes` rounded up to whole cache lines. */
export function padToLine(bytes: number): number {
  return Math.ceil(bytes / lineBytes) * lineBytes;
}

/** Size of a store's status block. */
export const statusBytes = 40;

/** Int32 words of the status block. */
export const statusWord = { live: 0, dead: 1, keys: 2, posts: 3, workers: 8, ended: 9 } as const;

/** BigInt64 words of the status block, counted in 8-byte words from its start. */
export const statusCounter = { updates: 2, bytes: 3 } as const;
