import { performance } from 'node:perf_hooks';
import { loadAddon, type Addon } from '../../native/addon.js';
import { Random, seed } from '../helpers/random.js';

/**
 * Calls every function of the addon with arguments that no caller would give: other types, lengths and
 * dtypes, unshared, detached, empty, overlapping, huge, NaN. Each call must return or throw; a crash,
 * or what a sanitizer finds, ends the process. `node addon-arguments.js [calls]`.
 */

const { addon } = loadAddon();
if (addon === undefined) throw new Error('the arguments of the addon need the addon');
Error.stackTraceLimit = 0;

const calls = Number(process.argv[2] ?? 100_000);
const random = new Random(seed);

/** Views of one piece of shared memory overlap; the engine may keep their addresses, so they stay. */
const memory = new SharedArrayBuffer(4096);
const types = [
  Float32Array,
  Float64Array,
  Uint16Array,
  Int8Array,
  Uint8Array,
  Int32Array,
  BigInt64Array,
  Uint8ClampedArray,
  BigUint64Array,
] as const;
const lengths = [0, 1, 2, 3, 4, 8, 16, 17];
const numbers = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  12,
  28,
  64,
  -1,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e308,
];
const oddities = [undefined, null, '', 'baseline', 'avx2', true, {}, Symbol('s'), 10n, () => 1];

const gone = new Map<string, unknown>();

/** A view whose memory was given away. Nothing can change it any more: it serves again and again. */
function detached(Type: (typeof types)[number], length: number): unknown {
  const name = `${Type.name} ${length}`;
  let made = gone.get(name);
  if (made === undefined) {
    made = new Type(length);
    structuredClone(made, { transfer: [(made as Int8Array<ArrayBuffer>).buffer] });
    gone.set(name, made);
  }
  return made;
}

function view(): unknown {
  const Type = random.pick(types);
  const length = random.pick(lengths);
  const kind = random.integer(8);
  if (kind === 0) return new Type(length);
  if (kind === 1) return detached(Type, length);
  if (kind === 2) return new DataView(new ArrayBuffer(8));
  return new (Type as unknown as typeof Int8Array)(memory, random.integer(16) * 8, length);
}

/** Mostly what fits each other: else nothing would get past the first check. */
const likely = Array.from({ length: 8 }, (_, i) => new Float32Array(memory, i * 256, 8));
const counters = Array.from({ length: 4 }, (_, i) => new BigInt64Array(memory, i * 64, 4));
const ended = new Int32Array(memory, 1024, 1);
const words = new Int32Array(memory, 2048, 32);
const heads = new Float64Array(memory, 3072, 20);

/** Up to `most - 1` of what `of` makes. A loop: calls are made by the million. */
function list(of: () => unknown, most = 4): unknown[] {
  const made: unknown[] = [];
  for (let left = random.integer(most); left > 0; left--) made.push(of());
  return made;
}

const counter = (): unknown => random.pick(counters);
const likelyOne = (): unknown => random.pick(likely);

function argument(): unknown {
  switch (random.integer(14)) {
    case 0:
      return view();
    case 1:
      return random.pick(oddities);
    case 2:
      return list(view);
    case 3:
      return list(counter);
    case 4:
    case 5:
      return list(likelyOne);
    case 6:
    case 7:
      return likelyOne();
    case 8:
      return counter();
    case 9:
      return random.chance(0.5) ? words : heads;
    case 10:
      return random.chance(0.5);
    default:
      return random.chance(0.2) ? random.pick(numbers) : random.integer(9);
  }
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Rules that need the whole tensor are told sizes by JavaScript alone, see SECURITY.md. */
const whole = /^(adafactor|groupAdagrad|lamb|lans|lars|muon)/;
const rules = addon.steps.flatMap((name, i) => (whole.test(name) ? [] : [i]));
const knownRules = new Set<unknown>(rules);

const { engine } = addon as unknown as { readonly engine: Record<string, AnyFunction> };
const engineNames = Object.keys(engine);
const kernels = addon.cpus.map((cpu) => {
  const functions = addon.forCpu(cpu) as unknown as Record<string, AnyFunction>;
  return { functions, names: Object.keys(functions) };
});

/** Engines and devices to be called upon; some of them closed by now. */
const engines: unknown[] = [];
const devices: unknown[] = [];
const keep = 8;

function put(into: unknown[], made: unknown): void {
  if (typeof made !== 'object' || made === null) return;
  if (into.length < keep) into.push(made);
  else into[random.integer(keep)] = made;
}

/** Words of requests: some that are well made, and some that are not. */
function fillWords(): void {
  for (let i = 0; i < words.length; i++) {
    words[i] = random.chance(0.05) ? random.pick([-1, 2 ** 31 - 1, 1000]) : random.integer(3);
  }
  for (let i = 0; i < heads.length; i++) {
    heads[i] = random.chance(0.05) ? random.pick(numbers) : random.integer(9);
  }
}

const ofDevice = new Set([
  'detach',
  'bind',
  'unbind',
  'setKnown',
  'takeShown',
  'submit',
  'isDisjoint',
  'takeEnded',
  'wait',
]);

/** The first argument of a function of the engine, mostly what it is for. */
function holder(name: string): unknown {
  if (random.chance(0.05)) return argument();
  const pool = ofDevice.has(name) === random.chance(0.97) ? devices : engines;
  return pool.length === 0 ? undefined : random.pick(pool);
}

const ids = new Float64Array(4);

function callEngine(): void {
  const name = random.pick(engineNames);
  const few = (): unknown => (random.chance(0.9) ? random.integer(4) : argument());
  const args = list(argument, 13);
  switch (name) {
    case 'create':
      if (random.chance(0.95))
        args.splice(0, 6, few(), few(), few(), 'baseline', random.pick(counters), ended);
      put(engines, engine['create']!(...args));
      return;
    case 'attach': {
      const number = engines.length === 0 ? 1 : engine['number']!(random.pick(engines));
      put(devices, engine['attach']!(number, few(), random.chance(0.95) ? () => undefined : 1));
      return;
    }
    case 'setPlan': {
      const buffers = [random.pick(likely), few(), random.pick([undefined, likely[0]]), few()];
      if (random.chance(0.9)) args.splice(0, 8, few(), few(), ...buffers, few(), 0);
      if (random.chance(0.8)) args.splice(8, 1, random.pick(rules));
      if (!knownRules.has(args[8])) args[8] = undefined;
      // Numbers that are allowed and take much memory.
      for (const i of [0, 12, 13]) if (typeof args[i] === 'number' && args[i] > 100) args[i] = 100;
      break;
    }
    case 'setHyper':
      if (random.chance(0.9)) args.splice(0, 5, few(), few(), true, 5, new Float64Array(10));
      if (typeof args[0] === 'number' && args[0] > 100) args[0] = 100;
      break;
    case 'setKnown':
    case 'bind':
      if (random.chance(0.9)) args.splice(0, 3, few(), random.pick(likely), 0);
      if (typeof args[0] === 'number' && args[0] > 100) args[0] = 100;
      break;
    case 'submit':
      fillWords();
      if (random.chance(0.9)) args.splice(0, 5, heads, words, few(), Infinity, true);
      break;
    case 'takeEnded':
      if (random.chance(0.9)) args[0] = ids;
      break;
    case 'wait':
      if (random.chance(0.9)) args[1] = ids;
      if (typeof args[0] !== 'number' || args[0] < 1000) args[0] = 0;
      break;
    case 'lease':
      args.splice(0, 2, list(few), random.chance(0.9) ? words : argument());
      break;
  }
  engine[name]!(holder(name), ...args);
}

function callKernel(): void {
  const { functions, names } = random.pick(kernels);
  const name = random.pick(names);
  const args = list(argument, 12);
  if (name === 'step') {
    const hyper = new Float64Array(random.integer(12));
    if (random.chance(0.7))
      args.splice(
        0,
        6,
        0,
        0,
        list(() => likely[0]),
        likely[1],
        list(() => likely[2]),
        hyper,
      );
    args[0] = random.pick(rules);
  }
  functions[name]!(...args);
}

function callOnce(): void {
  const what = random.integer(20);
  if (what === 0) (addon as Addon).forCpu(argument() as never);
  else if (what === 1) (addon as Addon).externalBuffer(argument() as never);
  else if (what < 8) callEngine();
  else callKernel();
}

let thrown = 0;
const startedMs = performance.now();
for (let call = 0; call < calls; call++) {
  try {
    callOnce();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    thrown += 1;
  }
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
process.stdout.write(`${calls} calls, ${thrown} thrown, ${seconds} s, TENSORKV_SEED=${seed}\n`);
