import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import type { CoordinatorOptions, Rank } from '../src/core/protocol.js';
import type { CoordinatorControl, Stalled } from './coordinator-host.js';
import type { CoordinatorAddress } from './port-link.js';
import { Pulse } from './pulse.js';
import { moving, remote } from './rpc.js';
import { StatusBlock } from './status.js';
import { Thread } from './thread.js';

const answerGraceMs = 2000;
const stopGraceMs = 2000;

/** Starts a coordinator thread, connects devices to it, tells it who is gone, and ends it. */
export class CoordinatorSupervisor {
  readonly #thread: Thread;
  readonly #control: ReturnType<typeof remote<CoordinatorControl>>;
  readonly #status: SharedArrayBuffer;
  #stopping = false;

  /**
   * `onLost` is called with the reason if the thread ends without being asked to, `onStalled` with a
   * device that is to be ended and departed as dead.
   */
  constructor(
    options: CoordinatorOptions,
    onLost: (reason: string) => void,
    onStalled: (stalled: Stalled) => void = () => undefined,
  ) {
    this.#status = options.status;
    const entry = new URL('../actors/coordinator-thread.js', import.meta.url);
    this.#thread = new Thread('coordinator', entry, { workerData: options });
    this.#control = remote<CoordinatorControl>(this.#thread.worker);
    this.#thread.keepProcess(false); // An app that forgets to close its store still exits.
    this.#thread.worker.on('message', (message: Partial<Stalled> | null) => {
      if (message?.type === 'stalled') onStalled(message as Stalled); // Others are answers to calls.
    });
    void this.#thread.exited.then((reason) => {
      new StatusBlock(options.status).end();
      if (!this.#stopping || this.#thread.hasFailed) onLost(reason);
    });
  }

  /**
   * The coordinator's thread is ending: the process waits for its exit. A port of it closes first, and
   * then nothing else may keep a process whose calls are open.
   */
  awaitExit(): void {
    this.#thread.keepProcess(true);
  }

  /** How device `rank` talks to the coordinator. Rejects with `peer_dead`. */
  async connect(rank: Rank): Promise<CoordinatorAddress> {
    const { port1, port2 } = new MessageChannel();
    const pulse = Pulse.memory();
    const joined = this.#control.join(rank, moving(port1) as never, pulse as never);
    const engine = await this.#thread.whileAlive(joined);
    return { port: port2, rank, engine, status: this.#status, pulse };
  }

  /**
   * Tells the coordinator that device `rank` is gone. A coordinator that is gone needs no word, and
   * one that hangs in an updater module is not waited for.
   */
  async depart(rank: Rank, cause: string | undefined, returns: boolean): Promise<void> {
    const control = this.#control.depart(rank, cause, returns);
    const told = this.#thread.whileAlive(control).catch(() => undefined);
    await Promise.race([told, delay(answerGraceMs, undefined, { ref: false })]);
  }

  /** Ends the thread: in good order if it answers, by force if not. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const asked = this.#thread.whileAlive(this.#control.stop()).catch(() => undefined);
    await Promise.all([asked, this.#thread.ended(stopGraceMs)]);
  }

  /** Ends the thread at once, whatever it is doing. */
  async kill(): Promise<void> {
    await this.#thread.terminate();
  }
}
