import type { Lanes } from './check-sums.js';
import type { Operation } from './operation.js';
import type { Model } from './search.js';

/** A key that adds: its state is how many pushes of each lane are in it, and their total. */
export function sumModel({ count, ofDevice }: Lanes): Model<readonly number[]> {
  return {
    initial: new Array<number>(count + 1).fill(0),
    push: (state, { device }) => {
      const next = [...state];
      for (const lane of ofDevice[device]!) next[lane]! += 1;
      next[count]! += ofDevice[device]!.length;
      return next;
    },
    allows: (state, pull) => !pull.isTorn && state.every((each, i) => each === pull.seen[i]),
    name: (state) => state.join(' '),
  };
}

/**
 * A key that each push replaces: push `n` of device `d` writes `n` to lane `d` and to the total, and 0
 * to the others. Devices need a lane each.
 */
export function assignModel({ count }: Lanes): Model<readonly [device: number, number: number]> {
  return {
    initial: [0, 0],
    push: (_, { device, number }) => [device, number],
    allows: ([device, number], { seen, isTorn }) => {
      if (isTorn || seen[count] !== number) return false;
      for (let lane = 0; lane < count; lane++) {
        if (seen[lane] !== (lane === device ? number : 0)) return false;
      }
      return true;
    },
    name: (state) => state.join(' '),
  };
}

/** Whether `pull` gave what `push` wrote to a key that each push replaces. */
export function gaveAssigned(pull: Operation, push: Operation): boolean {
  return pull.seen[push.device] === push.number;
}

/** How a push changes elements, in single precision: for updaters whose order matters. */
export type Fold = (stored: Float32Array, push: Operation) => Float32Array;

/** A key with an updater whose result depends on the order of pushes. */
export function foldModel(initial: Float32Array, fold: Fold): Model<Float32Array> {
  return {
    initial,
    push: (state, push) => fold(state, push),
    allows: (state, { seen, isTorn }) =>
      !isTorn && state.every((each, i) => Object.is(each, seen[i])),
    name: (state) => state.join(' '),
  };
}
