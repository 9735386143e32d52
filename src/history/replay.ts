import type { Operation, Violation } from './operation.js';

/** Every update of one key as the updater saw it, in its order: `width` elements each. */
export interface UpdateLog {
  readonly key: number;
  readonly inputs: readonly Float32Array[];
}

/** What the updater did, in single precision. */
export type Replay = (stored: Float32Array, input: Float32Array) => Float32Array;

/**
 * Makes every version again from the log, and compares what was pulled of the log's key with the
 * version that the pull named, bit for bit.
 */
export function checkReplay(
  history: readonly Operation[],
  { key, inputs }: UpdateLog,
  replay: { readonly initial: Float32Array; readonly update: Replay },
): Violation | undefined {
  const versions = [replay.initial];
  for (const input of inputs) versions.push(replay.update(versions.at(-1)!, input));
  for (const pull of history) {
    if (pull.kind !== 'pull' || pull.outcome !== 'done') continue;
    const expected = pull.version === undefined ? undefined : versions[pull.version];
    if (!pull.isTorn && expected !== undefined && areSameBits(expected, pull.seen)) continue;
    const wanted = expected === undefined ? `one of ${versions.length} versions` : show(expected);
    const got = `${show(pull.seen)} as version ${pull.version}${pull.isTorn ? ', torn' : ''}`;
    return {
      rule: 'a pull gives just the bytes of its version',
      key,
      message: `expected ${wanted}, got ${got}`,
      witness: [pull],
    };
  }
  return undefined;
}

function areSameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.slice().buffer).equals(Buffer.from(b.slice().buffer));
}

function show(elements: Float32Array): string {
  return `[${elements.join(' ')}]`;
}
