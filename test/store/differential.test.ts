import fc from 'fast-check';
import { KVStoreError, tensor, type KVStore, type Tensor } from '../../src/index.js';
import { onEveryPlane } from '../helpers/planes.js';
import { propertySettings } from '../helpers/random.js';
import { addTwice, firstDifference, ModelKey, rules, sgdOptions, type Rule } from './model.js';

/** One call of a random program. Numbers name keys, and tensors of the call's own. */
interface Call {
  readonly type: 'init' | 'push' | 'pull' | 'pullFresh' | 'pushpull' | 'inPlace';
  readonly keys: readonly number[];
  readonly values: readonly (readonly number[])[];
  readonly outs: readonly (readonly number[])[];
  readonly awaited: boolean;
}

type Kind = 'float32' | 'float64' | 'int32';

/** Keys 0 and 1 can share tensors, 4 and 5 are unknown until a program inits them. */
const kinds: readonly Kind[] = ['float32', 'float32', 'float64', 'int32', 'float32', 'float64'];
const kindOf = (key: number, rule: Rule): Kind =>
  kinds[key] === 'int32' && (rule === 'sgd' || rule === 'momentum') ? 'float64' : kinds[key]!;

const numbers = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.double(),
  fc.constantFrom(0.1, 1e8, -1e8, 3e9, -0, Infinity, NaN),
);
const length = 3;
const lists = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }), {
  minLength: 4,
  maxLength: 4,
});
const programs = fc.record({
  rule: fc.constantFrom(...rules),
  pool: fc.array(fc.array(numbers, { minLength: length, maxLength: length }), {
    minLength: 4,
    maxLength: 4,
  }),
  calls: fc.array(
    fc.record({
      type: fc.constantFrom<Call['type'][]>(
        'init',
        'push',
        'pull',
        'pullFresh',
        'pushpull',
        'inPlace',
      ),
      keys: fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }),
      values: lists,
      outs: lists,
      awaited: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
});
type Program = typeof programs extends fc.Arbitrary<infer P> ? P : never;

/** The tensors of one call, in the store's shape and in the model's. */
class CallTensors {
  readonly #pool: Program['pool'];
  readonly #made = new Map<string, { readonly real: Tensor; model: number[] }>();

  constructor(pool: Program['pool']) {
    this.#pool = pool;
  }

  /** Tensor `n` of `dtype`; one that `owner` does not share with other keys, if there is an owner. */
  get(n: number, dtype: Kind, owner?: number): { readonly real: Tensor; model: number[] } {
    const name = `${n} ${dtype} ${owner}`;
    const known = this.#made.get(name);
    if (known) return known;
    const real = tensor(this.#pool[n]!, { dtype });
    const made = { real, model: [...real.data] };
    this.#made.set(name, made);
    return made;
  }

  differs(): string | undefined {
    for (const [name, { real, model }] of this.#made) {
      if (firstDifference(real.data, model) >= 0) return `${name}: ${[...real.data]}, not ${model}`;
    }
    return undefined;
  }
}

/** Runs a program on the store and on the model at once; key numbers start at `base`. */
class Run {
  readonly #kv: KVStore;
  readonly #program: Program;
  readonly #base: number;
  readonly #model = new Map<number, ModelKey>();
  readonly #checks: (() => Promise<string | undefined>)[] = [];

  constructor(kv: KVStore, program: Program, base: number) {
    this.#kv = kv;
    this.#program = program;
    this.#base = base;
  }

  async differs(): Promise<string | undefined> {
    const { rule, calls } = this.#program;
    if (rule === 'sgd' || rule === 'momentum') await this.#kv.setOptimizer('sgd', sgdOptions[rule]);
    else await this.#kv.setUpdater(rule === 'function' ? addTwice : undefined);
    await this.#call({ type: 'init', keys: [3, 1, 0, 2], values: [[0]], outs: [], awaited: true });
    for (const call of calls) {
      const done = this.#call(call);
      if (call.awaited) await done;
    }
    for (const check of this.#checks) {
      const difference = await check();
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  /** Issues a call and works it out; what came of it is compared at the end. */
  #call({ type, keys, values, outs }: Call): Promise<unknown> {
    const { rule, pool } = this.#program;
    const tensors = new CallTensors(pool);
    const at = (n: number, key: number): ReturnType<CallTensors['get']> =>
      tensors.get(n, kindOf(key, rule));
    // Any dtype: a pull casts. Keys of a call without pushes may be pulled at different times, so
    // that the last one to write a tensor that they share would be any of them.
    const out = (n: number, i: number): ReturnType<CallTensors['get']> =>
      tensors.get(n, kinds[(n + i) % 4]!, type === 'pull' ? keys[i] : undefined);
    const real = keys.map((key) => this.#base + key);
    const pushed = keys.map((key, i) => values[i % values.length]!.map((n) => at(n, key)));
    const pulled =
      type === 'inPlace' ? pushed : keys.map((_, i) => (outs[i] ?? []).map((n) => out(n, i)));
    const reals = (lists_: typeof pushed): Tensor[][] =>
      lists_.map((list) => list.map((each) => each.real));

    const before = type === 'init' ? this.#refusedInit(keys) : this.#refused(keys);
    const call = {
      init: () =>
        this.#kv.init(
          real,
          pushed.map((list) => list[0]!.real),
        ),
      push: () => this.#kv.push(real, reals(pushed)),
      pull: () => this.#kv.pull(real, { out: reals(pulled) }),
      pullFresh: () => this.#kv.pull(real),
      pushpull: () => this.#kv.pushpull(real, reals(pushed), { out: reals(pulled) }),
      inPlace: () => this.#kv.pushpull(real, reals(pushed)),
    }[type]();

    let fresh: number[][] | undefined;
    if (before === undefined) {
      if (type === 'init') this.#init(keys, pushed);
      if (type === 'push' || type === 'pushpull' || type === 'inPlace') this.#push(keys, pushed);
      if (type === 'pull' || type === 'pushpull' || type === 'inPlace') this.#pull(keys, pulled);
      if (type === 'pullFresh') fresh = keys.map((key) => [...this.#model.get(key)!.stored]);
    }
    const ended = call.then(
      (value) => ({ value, code: undefined }),
      (error: unknown) => ({ value: undefined, code: (error as KVStoreError).code }),
    );
    this.#checks.push(async () => {
      const { value, code } = await ended;
      if (code !== before) return `${type} ${keys}: ${code}, not ${before}`;
      const wrong = (fresh ?? []).findIndex(
        (expected, i) => firstDifference((value as Tensor[])[i]!.data, expected) >= 0,
      );
      if (wrong >= 0) return `${type} ${keys}: fresh tensor ${wrong}`;
      const difference = tensors.differs();
      return difference === undefined ? undefined : `${type} ${keys}: tensor ${difference}`;
    });
    return ended;
  }

  #refusedInit(keys: readonly number[]): string | undefined {
    const known = keys.some((key) => this.#model.has(key)) || new Set(keys).size < keys.length;
    return known ? 'duplicate_key' : undefined;
  }

  #refused(keys: readonly number[]): string | undefined {
    return keys.every((key) => this.#model.has(key)) ? undefined : 'unknown_key';
  }

  #init(keys: readonly number[], values: { readonly model: number[] }[][]): void {
    const { rule } = this.#program;
    keys.forEach((key, i) =>
      this.#model.set(key, new ModelKey(kindOf(key, rule), values[i]![0]!.model)),
    );
  }

  #push(keys: readonly number[], values: { readonly model: number[] }[][]): void {
    for (const key of new Set(keys)) {
      const group = keys.flatMap((each, i) => (each === key ? values[i]! : []));
      this.#model.get(key)!.push(
        group.map((each) => each.model),
        this.#program.rule,
      );
    }
  }

  #pull(keys: readonly number[], outs: { readonly real: Tensor; model: number[] }[][]): void {
    for (const key of [...new Set(keys)].toSorted((a, b) => a - b)) {
      const group = keys.flatMap((each, i) => (each === key ? outs[i]! : []));
      for (const each of group) each.model = this.#model.get(key)!.pull(each.real.dtype);
    }
  }
}

onEveryPlane('random programs end as in the model, every bit of them', async (t, open) => {
  const kv = await open();
  let base = 0;
  const property = fc.asyncProperty(programs, async (program) => {
    const difference = await new Run(kv, program, (base += 10)).differs();
    if (difference !== undefined) throw new Error(difference);
  });
  await fc.assert(property, propertySettings(400));
  t.pass();
});
