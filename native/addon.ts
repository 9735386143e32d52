import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import type { Elements } from '../src/core/device-array.js';
import type { AddonCuda } from './cuda/addon-cuda.js';
import type { AnyTypedArray, Cpu, DenseArray, KernelFunctions } from './types.js';

/**
 * The functions of `binding.cc`. They throw a `TypeError` for what would reach foreign memory, and check
 * nothing else: only `kernels.ts` and `engine.ts` call them.
 */
export interface Addon {
  /** What `forCpu` takes on this machine, the most capable last. */
  readonly cpus: readonly Cpu[];
  /** Names of the update rules, in the order of their numbers. */
  readonly steps: readonly string[];
  forCpu(cpu: Cpu): AddonKernels | undefined;
  readonly engine: AddonEngine;
  /** CUDA; its `missingReason` says why it cannot be used where it cannot. */
  readonly cuda: AddonCuda;
  /**
   * Where the first huge page of an untouched buffer starts, from its beginning, 0 where there is no
   * room: they are asked for under `bytes` bytes from there on.
   */
  useHugePages(buffer: Uint8Array, bytes: number): number;
  /** An `ArrayBuffer` over the bytes of a view that is not empty. It does not keep them alive. */
  externalBuffer(view: AnyTypedArray): ArrayBuffer;
}

/** The kernels compiled for one instruction set. */
export interface AddonKernels {
  /** A dtype is its number, see `codeOf`. */
  reduceSum(inputs: readonly DenseArray[], out: DenseArray, dtype: number): void;
  step(
    rule: number,
    dtype: number,
    inputs: readonly DenseArray[],
    stored: DenseArray,
    slots: readonly DenseArray[],
    hyper: Float64Array,
    rowLength: number,
    master: DenseArray | undefined,
    scratch: DenseArray | undefined,
    average: DenseArray | undefined,
    rows: BigInt64Array | undefined,
  ): void;
  squares(inputs: readonly DenseArray[], dtype: number): number;
  encode(
    twoBit: boolean,
    threshold: number,
    gradient: Float32Array,
    residual: Float32Array,
    out: Uint8Array,
  ): void;
  decode(twoBit: boolean, threshold: number, bytes: Uint8Array, out: Float32Array): void;
  quantize(
    twoBit: boolean,
    threshold: number,
    gradient: Float32Array,
    residual: Float32Array,
    left: Float32Array,
    out: Float32Array,
  ): void;
  copy(source: AnyTypedArray, outs: readonly AnyTypedArray[]): void;
  cast(source: DenseArray, out: DenseArray, from: number, to: number): void;
  isFinite(view: DenseArray, dtype: number): boolean;
  unionIds(lists: readonly BigInt64Array[], out: BigInt64Array): number;
  sumRows(
    ids: readonly BigInt64Array[],
    rows: readonly DenseArray[],
    outIds: BigInt64Array,
    outRows: DenseArray,
    rowLength: number,
    dtype: number,
  ): void;
  gatherRows: KernelFunctions['gatherRows'];
  scatterRows: KernelFunctions['scatterRows'];
  findRows: KernelFunctions['findRows'];
}

/** The functions of `engine_binding.cc`, which know a dtype by its number; engine.ts explains them. */
export interface AddonEngine {
  create(
    ranks: number,
    consistency: number,
    staleness: number,
    cpu: Cpu,
    updates: BigInt64Array,
    ended: Int32Array,
  ): OwnedEngine;
  number(engine: OwnedEngine): number;
  close(engine: OwnedEngine): void;
  setPlan(
    engine: OwnedEngine,
    key: number,
    version: number,
    stored: Elements,
    storedNumber: number,
    other: Elements | undefined,
    otherNumber: number,
    access: number,
    dtype: number,
    rule?: number,
    slots?: readonly Elements[],
    master?: Elements,
    average?: Elements,
    scratchLength?: number,
    table?: number,
    count?: number,
  ): void;
  setClocks(engine: OwnedEngine, key: number, clocks: Float64Array): void;
  setHyper(
    engine: OwnedEngine,
    table: number,
    first: number,
    isSteady: boolean,
    width: number,
    values: Float64Array,
  ): void;
  grow(engine: OwnedEngine, ranks: number): void;
  lease(engine: OwnedEngine, live: readonly number[], pins: Int32Array): void;
  recall(engine: OwnedEngine): Recalled;
  callDevice(engine: OwnedEngine, rank: number): void;
  attach(number: number, rank: number, heard: () => void): AttachedDevice | undefined;
  detach(device: AttachedDevice): void;
  bind(device: AttachedDevice, number: number, elements: Elements, dtype: number): void;
  unbind(device: AttachedDevice, numbers: readonly number[]): void;
  setKnown(device: AttachedDevice, buffer: number, isKnown: boolean): void;
  submit(
    device: AttachedDevice,
    heads: Float64Array,
    words: Int32Array,
    count: number,
    inlineBytes: number,
    lingers: boolean,
  ): number;
  isDisjoint(device: AttachedDevice, words: Int32Array): boolean;
  takeEnded(device: AttachedDevice, ids: Float64Array): number;
  takeShown(device: AttachedDevice, id: number, shown: Float64Array): number;
  wait(device: AttachedDevice, sliceMs: number, ids: Float64Array): number;
}

/** What C++ keeps of an engine for its coordinator, and of a device for its thread. */
export type OwnedEngine = { readonly [owned]: true };
export type AttachedDevice = { readonly [attached]: true };
declare const owned: unique symbol;
declare const attached: unique symbol;

/** A request that had not ended when its store was recalled: what is left of it. */
export interface OpenOrder {
  readonly rank: number;
  readonly id: number;
  readonly deadlineMs: number;
  readonly priority: number;
  readonly type: 'push' | 'pull' | 'pushpull';
  /** For each key: its number, how many tensors, their numbers. */
  readonly push: Int32Array;
  readonly pull: Int32Array;
  /** For each view it asks for: the key, then buffer and version, or -1 and 0 while it is open. */
  readonly views: Float64Array;
}

/** What came of a lease. */
export interface Recalled {
  /** Open requests, those of a rank in order. */
  readonly tickets: readonly OpenOrder[];
  /** Four numbers for each buffer and rank with pins: key, buffer, rank, how many. */
  readonly pins: Int32Array;
  /** Keys with new versions, and whether they are in their other buffer now. */
  readonly made: readonly {
    readonly key: number;
    readonly rounds: number;
    readonly hasMoved: boolean;
  }[];
}

/** The addon, or why there is none in one sentence. */
export type LoadedAddon =
  | { readonly addon: Addon; readonly missingReason: undefined }
  | { readonly addon: undefined; readonly missingReason: string };

let loaded: LoadedAddon | undefined;

/**
 * The addon, loaded when it is first asked for, as `TENSORKV_NATIVE` says: `off` does not look for it,
 * `require` throws when it is missing, anything else warns once a process, on the main thread.
 */
export function loadAddon(): LoadedAddon {
  loaded ??= load();
  return loaded;
}

function load(): LoadedAddon {
  const wish = process.env['TENSORKV_NATIVE'];
  if (wish === 'off') {
    return { addon: undefined, missingReason: 'TENSORKV_NATIVE=off turns the native addon off.' };
  }
  try {
    return { addon: requireAddon(), missingReason: undefined };
  } catch (error) {
    const [cause] = (error instanceof Error ? error.message : String(error)).split('\n');
    const missingReason = `The native addon of tensorkv could not be loaded (${cause}).`;
    if (wish === 'require') throw new Error(missingReason, { cause: error });
    if (isMainThread) warn(missingReason);
    return { addon: undefined, missingReason };
  }
}

function warn(missingReason: string): void {
  process.emitWarning(
    `${missingReason} Its TypeScript references do the work, many times slower; build the addon in a ` +
      'clone with "node scripts/build-native.mjs", or set TENSORKV_NATIVE=off to accept that silently.',
    { type: 'TensorKVWarning', code: 'TENSORKV_NATIVE_MISSING' },
  );
}

function requireAddon(): Addon {
  const require = createRequire(import.meta.url);
  const find = require('node-gyp-build') as (folder: string) => Addon;
  return find(packageFolder());
}

/** Where package.json is: above the file that this was compiled or bundled into. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return folder;
}
