import { SingleBar } from 'cli-progress';
import { rateOf } from './comparison.js';
import type { StepReport } from './device.js';
import type { EpochSummary } from './training.js';

/** Shows how the training goes. */
export interface Progress {
  /** An epoch of the group that is trained goes on. */
  step(report: StepReport): void;
  /** An epoch has ended; `reference` is that of the single device of a comparison. */
  epoch(summary: EpochSummary, reference?: EpochSummary): void;
  /** Leaves the terminal as it was. */
  stop(): void;
}

/** Where to show progress, and how much there is to come. */
export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  readonly epochs: number;
  /** Images of all devices in one epoch. */
  readonly epochImages: number;
}

/** A live bar on a terminal, else a line per epoch. */
export function createProgress(options: ProgressOptions): Progress {
  return options.stream.isTTY ? new BarProgress(options) : new LineProgress(options);
}

class LineProgress implements Progress {
  readonly #options: ProgressOptions;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  step(): void {}

  epoch(summary: EpochSummary, reference?: EpochSummary): void {
    const { epochs, stream } = this.#options;
    const number = `${summary.epoch + 1}`.padStart(`${epochs}`.length);
    const one = reference ? `  one device ${showRate(rateOf(reference))}` : '';
    const rate = showRate(rateOf(summary));
    stream.write(`epoch ${number}/${epochs}  loss ${showLoss(summary.loss)}  ${rate}${one}\n`);
  }

  stop(): void {}
}

class BarProgress implements Progress {
  readonly #options: ProgressOptions;
  readonly #bar: SingleBar;
  readonly #startMs = performance.now();
  #epochStartMs = performance.now();

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#bar = new SingleBar({
      stream: options.stream,
      hideCursor: true,
      barsize: 24,
      format: 'epoch {epoch}/{epochs} [{bar}] loss {loss}  {rate}  {left} left',
    });
    this.#bar.start(options.epochs * options.epochImages, 0, {
      epoch: 1,
      epochs: options.epochs,
      loss: '-',
      rate: '- images/s',
      left: '-',
    });
  }

  step({ epoch, images, loss }: StepReport): void {
    const seconds = (performance.now() - this.#epochStartMs) / 1000;
    this.#show(epoch, images, loss, showRate(images / seconds));
  }

  epoch(summary: EpochSummary): void {
    this.#show(summary.epoch, this.#options.epochImages, summary.loss, showRate(rateOf(summary)));
    this.#epochStartMs = performance.now();
  }

  stop(): void {
    this.#bar.stop();
  }

  #show(epoch: number, images: number, loss: number, rate: string): void {
    const done = epoch * this.#options.epochImages + images;
    const left = this.#options.epochs * this.#options.epochImages - done;
    const seconds = (performance.now() - this.#startMs) / 1000;
    this.#bar.update(done, {
      epoch: epoch + 1,
      loss: showLoss(loss),
      rate,
      left: `${Math.ceil((seconds / done) * left)} s`,
    });
  }
}

function showLoss(loss: number): string {
  return loss.toFixed(4);
}

/** A throughput, in the digits that mean something. */
export function showRate(imagesPerSecond: number): string {
  const hundreds = Math.round(imagesPerSecond / 100);
  return `${(hundreds * 100).toLocaleString('en')} images/s`;
}
