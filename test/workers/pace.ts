import { defineWorker, zeros, type Tensor } from '../../src/index.js';

/** How a worker pushes its unit vector, how far ahead it may be, and how often it pushes. */
export interface Pace {
  readonly how: 'awaited' | 'blocking' | 'lists' | 'view';
  readonly staleness: number;
  readonly rounds: number;
}

/** The pushes of each rank that are in the stored tensor at the end, and what was wrong on the way. */
export interface Seen {
  readonly problem: string | undefined;
  readonly last: readonly number[];
}

const keys = [0, 1, 2];
const length = 3;

/** Pushes as fast as it can; what it pulls counts the pushes of each rank. */
export default defineWorker<Pace, Seen>(async ({ kv, rank, args, numWorkers }) => {
  const { how, staleness, rounds } = args;
  await kv.init(
    keys,
    keys.map(() => zeros(length)),
  );
  await kv.setOptimizer('sgd', { lr: 1 });
  const unit = zeros(length);
  unit.data[rank] = 1;
  let problem: string | undefined;
  const look = (clock: number, { data }: Pick<Tensor, 'data'>): void => {
    for (let other = 0; other < numWorkers; other++) {
      const theirs = -Number(data[other]);
      const isWrong = other === rank ? theirs !== clock : Math.abs(theirs - clock) > staleness;
      if (isWrong) problem ??= `rank ${rank} at ${clock} saw ${theirs} of rank ${other}`;
    }
  };
  const out = keys.map(() => zeros(length));
  for (let clock = 1; clock <= rounds; clock++) {
    if (how === 'awaited') {
      await kv.push(0, unit);
      look(clock, await kv.pull(0));
    } else if (how === 'blocking') {
      kv.pushSync(0, unit);
      look(clock, kv.pullSync(0, { out: out[0]! }));
    } else if (how === 'lists') {
      const units = keys.map(() => unit);
      for (const each of await kv.pushpull(keys, units, { out })) look(clock, each);
    } else {
      const pushed = kv.push(0, unit);
      const view = await kv.pull(0, { view: true });
      look(clock, { data: view.elements().data as Tensor['data'] });
      view.release();
      await pushed;
    }
  }
  await kv.barrier();
  return { problem, last: [...(await kv.pull(0)).data].map((x) => -Number(x)) };
});
