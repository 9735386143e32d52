import { kernels as bestKernels, type Kernels } from '../native/kernels.js';
import type { CoordinatorOptions, Rank } from '../src/core/protocol.js';
import { checkpointFiles } from './checkpoint-file.js';
import { Coordinator } from './coordinator.js';
import { DeadlineClock } from './deadline-clock.js';
import { InlineRunner } from './inline-runner.js';
import type { Link } from './link.js';
import { loadModule } from './module-loader.js';

/**
 * The coordinator on the caller's own thread, for stores that want no hop and for tests, which can
 * take it step by step and let its devices go one by one.
 */
export class InlineCoordinator {
  readonly #runner: InlineRunner;
  readonly #actor: Coordinator;
  readonly #clock: DeadlineClock;

  constructor(
    options: CoordinatorOptions,
    { automatic = true, kernels = bestKernels }: { automatic?: boolean; kernels?: Kernels } = {},
  ) {
    this.#runner = new InlineRunner({ automatic });
    this.#actor = new Coordinator(options, {
      kernels,
      send: (to, message) => this.#runner.deliver(to, message),
      loadModule: (kind, url, loaded) => void loadModule(kind, url, loaded),
      files: checkpointFiles,
    });
    this.#clock = new DeadlineClock(this.#actor);
    this.#runner.attach({
      receive: (from, batch) => {
        this.#actor.receive(from, batch);
        this.#clock.watch();
      },
    });
  }

  /** Messages that nobody has handled yet. */
  get waiting(): number {
    return this.#runner.waiting;
  }

  /** The link of device `rank`. */
  link(rank: Rank): Link {
    return this.#runner.link(rank);
  }

  /** Handles the oldest message of `rank`, or of anybody. Returns false when there is none. */
  step(rank?: Rank): boolean {
    return this.#runner.step(rank);
  }

  /** Ends what has waited past its deadline. */
  tick(nowMs: number): void {
    this.#actor.tick(nowMs);
  }

  /** Device `rank`, the next one or one that returns, takes part from now on. */
  join(rank: Rank): void {
    this.#actor.join(rank);
  }

  /** Device `rank` is gone: dead of `cause`, or in good order without one; see `Coordinator`. */
  depart(rank: Rank, cause: string | undefined, returns = false): void {
    this.#actor.depart(rank, cause, returns);
  }

  stop(): void {
    this.#clock.stop();
  }
}
