import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Gives back what the last bench held, so that the next one does not pay for it. */
export function collectGarbage(): void {
  if (collect === undefined) {
    // The collector can be had in a context made after the flag is set.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
