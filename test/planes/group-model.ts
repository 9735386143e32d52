import { ModelKey, type Rule } from '../store/model.js';

/** What a group of devices is to do with the messages it gets, in plain words and numbers. */

/** A call of a device. Keys ascend; each key of a push has some values. */
export interface ModelCall {
  readonly rank: number;
  readonly keys: readonly number[];
  readonly values: readonly (readonly (readonly number[])[])[] | undefined;
  readonly pulls: boolean;
  state: 'open' | 'done' | 'peer_dead';
  /** By key, what its pull has seen. */
  readonly seen: Map<number, { readonly version: number; readonly elements: readonly number[] }>;
  openPushes: number;
  openPulls: number;
  hasFailed: boolean;
}

interface Part {
  readonly call: ModelCall;
  /** Undefined for a pull. */
  readonly values: readonly (readonly number[])[] | undefined;
}

export interface GroupModelOptions {
  readonly ranks: number;
  readonly keys: number;
  readonly length: number;
  readonly isAsync: boolean;
  readonly continues: boolean;
  readonly rule: Rule;
}

/** The keys of a group, and its devices' calls in the order in which they arrive. */
export class GroupModel {
  readonly keys: { readonly stored: ModelKey; version: number }[];
  readonly #options: GroupModelOptions;
  readonly #lanes: Part[][][];
  readonly #live: Set<number>;
  readonly #dead = new Set<number>();

  constructor(options: GroupModelOptions) {
    const { ranks, keys, length } = options;
    this.#options = options;
    const list = Array.from({ length: keys }, (_, key) => key);
    this.keys = list.map(() => ({
      stored: new ModelKey(
        'float32',
        Array.from({ length }, () => 0),
      ),
      version: 0,
    }));
    this.#live = new Set(Array.from({ length: ranks }, (_, rank) => rank));
    this.#lanes = list.map(() => Array.from({ length: ranks }, () => []));
  }

  /** The next call of a device has arrived. Nobody listens to one that is dead. */
  arrive(call: ModelCall): void {
    if (!this.#live.has(call.rank)) return;
    call.keys.forEach((key, i) => {
      if (call.values === undefined) return;
      call.openPushes += 1;
      this.#lanes[key]![call.rank]!.push({ call, values: call.values[i]! });
    });
    for (const key of call.pulls ? call.keys : []) {
      call.openPulls += 1;
      this.#lanes[key]![call.rank]!.push({ call, values: undefined });
    }
    this.#goOn();
  }

  /** A device has died: what it has pushed counts, what it wants to know does not. */
  die(rank: number): void {
    this.#live.delete(rank);
    this.#dead.add(rank);
    for (const lanes of this.#lanes) {
      lanes[rank] = lanes[rank]!.filter(({ values }) => values !== undefined);
    }
    this.#goOn();
  }

  #goOn(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const key of this.keys.keys()) moved = this.#pull(key) || this.#round(key) || moved;
    }
  }

  #pull(key: number): boolean {
    for (const lane of this.#lanes[key]!) {
      const [head] = lane;
      if (head === undefined || head.values !== undefined || head.call.openPushes > 0) continue;
      lane.shift();
      const { version, stored } = this.keys[key]!;
      if (!head.call.hasFailed) head.call.seen.set(key, { version, elements: stored.stored });
      head.call.openPulls -= 1;
      this.#end(head.call);
      return true;
    }
    return false;
  }

  #round(key: number): boolean {
    const lanes = this.#lanes[key]!;
    let ranks = [...lanes.keys()].filter((rank) => lanes[rank]![0]?.values !== undefined);
    if (ranks.length === 0) return false;
    let isLost = false;
    if (this.#options.isAsync) {
      ranks = ranks.slice(0, 1);
    } else {
      // Under `abort` a dead device that has not pushed is missed for ever.
      isLost = !this.#options.continues && [...this.#dead].some((rank) => !ranks.includes(rank));
      if (!isLost && ![...this.#live].every((rank) => ranks.includes(rank))) return false;
    }
    const parts = ranks.map((rank) => lanes[rank]!.shift()!);
    if (!isLost) {
      const each = this.keys[key]!;
      each.stored.push(
        parts.flatMap(({ values }) => values!),
        this.#options.rule,
      );
      each.version += 1;
    }
    for (const { call } of parts) {
      call.hasFailed ||= isLost;
      call.openPushes -= 1;
      this.#end(call);
    }
    return true;
  }

  #end(call: ModelCall): void {
    if (call.openPushes + call.openPulls === 0) call.state = call.hasFailed ? 'peer_dead' : 'done';
  }
}
