import { MessageChannel } from 'node:worker_threads';
import { hostCoordinator } from '../../actors/coordinator-host.js';
import { Pulse } from '../../actors/pulse.js';
import { InlineCoordinator } from '../../actors/inline-coordinator.js';
import { portPlane, sharedPlane, type Plane } from '../../actors/plane.js';
import { CoordinatorSupervisor } from '../../actors/supervisor.js';
import { statusBytes } from '../../src/core/layout.js';
import type { CoordinatorOptions } from '../../src/core/protocol.js';
import { storeType } from '../../src/core/types.js';
import { KVStore } from '../../src/kv-store.js';
import type { PlaneHandlers } from '../../src/store-identity.js';

/**
 * Who carries out what the stores of a group ask: the engine, which a coordinator leases its store to,
 * on a thread of its own (`thread`) or on this one (`engine`); or the reference coordinator alone, in
 * microtasks of this thread.
 */
export type Side = 'thread' | 'engine' | 'reference';

/** The stores of a group, all of them on this thread. */
export interface Group {
  readonly stores: readonly KVStore[];
  close(): Promise<void>;
}

export interface GroupOptions {
  readonly type: string;
  readonly workers: number;
  readonly timeoutMs: number;
}

/** Opens a group of any type. Nobody may block where the coordinator is on this thread. */
export async function openGroup(
  side: Side,
  { type, workers, timeoutMs }: GroupOptions,
): Promise<Group> {
  const { consistency, compression, onDevices, name } = storeType(type);
  const coordinator: CoordinatorOptions = {
    workers,
    consistency,
    staleness: 0,
    compression,
    onDevices,
    onDeath: 'abort',
    memoryLimit: 2 ** 30,
    status: new SharedArrayBuffer(statusBytes),
  };
  const { plane, stop } = sides[side](coordinator);
  const stores = await Promise.all(
    Array.from({ length: workers }, (_, rank) =>
      KVStore.open((handlers) => plane(rank, { timeoutMs, ...handlers }), {
        type: { ...storeType(type), name },
        rank,
        devices: undefined,
        status: coordinator.status,
        debug: false,
      }),
    ),
  );
  const close = async (): Promise<void> => {
    await Promise.all(stores.map((kv) => kv.close()));
    await stop();
  };
  return { stores, close };
}

type OpenPlane = (
  rank: number,
  options: PlaneHandlers & { readonly timeoutMs: number },
) => Plane | Promise<Plane>;

interface Coordinated {
  readonly plane: OpenPlane;
  stop(): Promise<void>;
}

function threaded(options: CoordinatorOptions): Coordinated {
  const supervisor = new CoordinatorSupervisor(options, () => undefined);
  return {
    plane: async (rank, handlers) => portPlane(await supervisor.connect(rank), handlers),
    stop: () => supervisor.stop(),
  };
}

function hosted(options: CoordinatorOptions): Coordinated {
  const control = hostCoordinator(options, () => undefined);
  return {
    plane: (rank, handlers) => {
      const { port1, port2 } = new MessageChannel();
      const pulse = Pulse.memory();
      const engine = control.join(rank, port1, pulse);
      port1.unref();
      return portPlane({ port: port2, rank, engine, status: options.status, pulse }, handlers);
    },
    stop: async () => control.stop(),
  };
}

function inline(options: CoordinatorOptions): Coordinated {
  const coordinator = new InlineCoordinator(options);
  return {
    plane: (rank, handlers) => sharedPlane(coordinator.link(rank), handlers),
    stop: async () => coordinator.stop(),
  };
}

const sides = { thread: threaded, engine: hosted, reference: inline } as const;
