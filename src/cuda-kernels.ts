import * as native from '../native/cuda.js';
import type { Argument, LaunchSize } from './cuda-arguments.js';
import { assertDevice, cuda, showDevice, type Device } from './core/devices.js';
import { KVStoreError, show } from './core/errors.js';
import { assertOptions } from './core/options.js';

/** Kernels of a user's own: code that runs on a device with the rights of this process. */

/** A loaded module of kernels; made by `module`. */
export class CudaModule {
  readonly device: Device;
  readonly #number: number;

  /** Programs use `module`. */
  constructor(device: Device, number: number) {
    this.device = device;
    this.#number = number;
  }

  /** The kernel `name` of it: of C++ as `extern "C"` names it. Throws `bad_argument` where there is none. */
  kernel(name: string): CudaKernel {
    if (typeof name === 'string' && name.length > 0) {
      return new CudaKernel(name, this.device, native.kernelOf(this.#number, name));
    }
    throw new KVStoreError('bad_argument', `expected the name of a kernel, got ${show(name)}`);
  }
}

/** A kernel that can be launched; made by `CudaModule.kernel`. */
export class CudaKernel {
  readonly name: string;
  readonly device: Device;
  readonly #number: number;

  /** Programs use `CudaModule.kernel`. */
  constructor(name: string, device: Device, number: number) {
    this.name = name;
    this.device = device;
    this.#number = number;
  }

  /** See `launch`. */
  launch(options: LaunchSize, args: readonly Argument[]): void {
    assertOptions(options, ['grid', 'block', 'sharedBytes'], 'launch');
    const { grid, block, sharedBytes = 0 } = options;
    if (!Array.isArray(args)) {
      throw new KVStoreError(
        'bad_argument',
        `launch expected a list of arguments, got ${show(args)}`,
      );
    }
    for (const [i, each] of args.entries()) {
      this.#checkArgument(each, i);
    }
    const shape = {
      grid: dimensions(grid, 'grid'),
      block: dimensions(block, 'block'),
      sharedBytes: whole(sharedBytes, 'sharedBytes', 0),
    };
    native.launchKernel(this.device.index, this.#number, shape, args as readonly Argument[]);
  }

  #checkArgument(argument: unknown, i: number): void {
    const place = `argument ${i} of kernel ${this.name}`;
    if (!native.isArgument(argument)) {
      const message = `${place} expected read(tensor), int32(number) or the like, got ${show(argument)}`;
      throw new KVStoreError('bad_argument', message);
    }
    if (argument.kind !== 'array' || argument.array.device === this.device.index) return;
    const message =
      `${place} expected a tensor on ${showDevice(this.device)}, ` +
      `got one on cuda(${argument.array.device})`;
    throw new KVStoreError('bad_argument', message);
  }
}

/**
 * Loads kernels on a device: PTX as text or bytes, a cubin, or a fatbin. They stay until the process
 * ends. Throws `bad_argument` for what the driver refuses, `cuda_unavailable`.
 */
export function module(image: Uint8Array | string, device: Device = cuda(0)): CudaModule {
  assertDevice(device);
  if (device.type !== 'cuda') {
    const message = `module expected a CUDA device, got ${showDevice(device)}`;
    throw new KVStoreError('bad_argument', message);
  }
  if (typeof image !== 'string' && !(image instanceof Uint8Array)) {
    const message = `module expected PTX or the bytes of a module, got ${show(image)}`;
    throw new KVStoreError('bad_argument', message);
  }
  // The driver looks for the zero behind PTX.
  const bytes = typeof image === 'string' ? new TextEncoder().encode(`${image}\0`) : image;
  return new CudaModule(device, native.loadModule(device.index, bytes));
}

/**
 * PTX of CUDA C++, for `module`. `options` are those of NVRTC, such as `--gpu-architecture=compute_80`.
 * Throws `cuda_unavailable` where NVRTC is not installed, `bad_argument` with its log for a mistake.
 */
export function compile(source: string, options: readonly string[] = []): Uint8Array {
  if (typeof source !== 'string') {
    throw new KVStoreError('bad_argument', `compile expected CUDA C++, got ${show(source)}`);
  }
  return native.compile(source, options);
}

/**
 * Launches a kernel: `launch(kernel, { grid: 4, block: 256 }, [read(x), write(y), int32(n)])`. Returns
 * once it is enqueued. It is in order with all other work on the tensors that are marked, on whatever
 * thread: so mark them truly. Nothing checks what a kernel does: one that writes elsewhere ruins what
 * lies there. Throws `bad_argument`, `peer_dead`.
 */
export function launch(
  kernel: CudaKernel,
  options: LaunchSize,
  args: readonly Argument[] = [],
): void {
  if (kernel instanceof CudaKernel) return kernel.launch(options, args);
  throw new KVStoreError(
    'bad_argument',
    `launch expected a kernel of a module, got ${show(kernel)}`,
  );
}

function dimensions(given: unknown, what: string): readonly [number, number, number] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0 || list.length > 3) {
    const message = `launch expected 1 to 3 numbers as ${what}, got ${show(given)}`;
    throw new KVStoreError('bad_argument', message);
  }
  const [x, y = 1, z = 1] = list.map((each) => whole(each, what, 1));
  return [x!, y, z];
}

function whole(given: unknown, what: string, least: number): number {
  if (Number.isSafeInteger(given) && (given as number) >= least) return given as number;
  const message = `launch expected ${what} to be an integer from ${least} up, got ${show(given)}`;
  throw new KVStoreError('bad_argument', message);
}
