import type { UpdateLog } from '../history/replay.js';
import { optim, zeros, type KVStore } from '../index.js';
import { stressTypes, type Plan, type Scenario } from './scenario.js';

/** Shared arrays to which the updater of the `log` rule writes every input, in its order. */
export interface LogMemory {
  readonly width: number;
  /** In its first element: how many inputs there were. */
  readonly count: Int32Array;
  readonly keys: Uint32Array;
  readonly inputs: Float32Array;
}

/** Room for every push of a run. */
export function logMemory({ keys }: Scenario, { threads, rounds, width }: Plan): LogMemory {
  const capacity = keys * threads * (rounds + 1);
  return {
    width,
    count: new Int32Array(new SharedArrayBuffer(4)),
    keys: new Uint32Array(new SharedArrayBuffer(4 * capacity)),
    inputs: new Float32Array(new SharedArrayBuffer(4 * width * capacity)),
  };
}

/** The updates of each key that a log holds. */
export function readLog({ width, count, keys, inputs }: LogMemory): Map<number, UpdateLog> {
  const logs = new Map<number, { readonly key: number; readonly inputs: Float32Array[] }>();
  for (let at = 0; at < count[0]!; at++) {
    const key = keys[at]!;
    const log = logs.get(key) ?? { key, inputs: [] };
    log.inputs.push(inputs.subarray(at * width, (at + 1) * width));
    logs.set(key, log);
  }
  return logs;
}

/** What the updater of the `log` rule does, as `checkReplay` has it. */
export function logUpdate(stored: Float32Array, input: Float32Array): Float32Array {
  return stored.map((each, i) => Math.fround(Math.fround(each * 0.75) + input[i]!));
}

/** Makes the keys and sets the rule; every device of a group calls it. */
export async function setRule(
  kv: KVStore,
  run: {
    readonly keys: readonly number[];
    readonly scenario: Scenario;
    readonly plan: Plan;
    readonly log: LogMemory | undefined;
  },
): Promise<void> {
  const { keys, scenario, plan, log } = run;
  await kv.init(
    keys,
    keys.map(() => zeros([plan.elements])),
  );
  switch (scenario.rule) {
    case 'sum': // A step against the gradient: values are pushed with their sign turned.
      return kv.setOptimizer(optim.sgd({ lr: 1 }));
    case 'assign':
      // Stores without rounds replace nothing by themselves.
      if (stressTypes[scenario.type].order !== 'rounds') {
        await kv.setUpdater((_, input, stored) => void stored.copyFrom(input));
      }
      return undefined;
    case 'log':
      return kv.setUpdater((key, input, stored) => {
        const at = log!.count[0]!;
        log!.keys[at] = Number(key);
        log!.inputs.set(input.data.subarray(0, log!.width) as Float32Array, at * log!.width);
        log!.count[0] = at + 1;
        stored.mul_(0.75).add_(input);
      });
  }
}
