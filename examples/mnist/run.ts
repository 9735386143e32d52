import type { Settings } from './cli.js';
import { loadMnist, type Mnist } from './data.js';
import { createProgress, type Progress } from './progress.js';
import type { Outcome } from './report.js';
import { TrainingGroup, type EpochSummary } from './training.js';
import { UserError } from './user-error.js';

/**
 * Trains as `settings` say, showing progress on `stream`. With `compare`, a single device trains the
 * same network beside: one epoch each in turn, so that both meet the same machine. Throws
 * `UserError` for what the settings cannot work with; ends early when `signal` says so.
 */
export async function train(
  settings: Settings,
  stream: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<Outcome> {
  const data = await loadMnist({ folder: settings.data, limit: settings.limit, signal });
  assertEnough(settings, data);
  describe(settings, data, stream);
  const stepImages = settings.devices * settings.batch;
  const epochImages = data.training.count - (data.training.count % stepImages);
  const counts = settings.compare ? [settings.devices, 1] : [settings.devices];
  const starts = counts.map((devices) => TrainingGroup.start(settings, devices, data));
  const progress = createProgress({ stream, epochs: settings.epochs, epochImages });
  try {
    const [main, alone] = await Promise.all(starts);
    return await unlessAborted(signal, runEpochs({ settings, main: main!, alone, progress }));
  } finally {
    progress.stop();
    const settled = await Promise.allSettled(starts);
    const groups = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    await Promise.all(groups.map((group) => group.close()));
  }
}

interface Run {
  readonly settings: Settings;
  readonly main: TrainingGroup;
  readonly alone: TrainingGroup | undefined;
  readonly progress: Progress;
}

async function runEpochs({ settings, main, alone, progress }: Run): Promise<Outcome> {
  const epochs: EpochSummary[] = [];
  const reference: EpochSummary[] = [];
  for (let epoch = 0; epoch < settings.epochs; epoch++) {
    const summary = await main.runEpoch(epoch, (report) => progress.step(report));
    epochs.push(summary);
    const beside = await alone?.runEpoch(epoch, () => undefined);
    if (beside) reference.push(beside);
    progress.epoch(summary, beside);
  }
  return { settings, epochs, reference, results: await main.finish() };
}

function assertEnough({ devices, batch }: Settings, { training }: Mnist): void {
  const needed = devices * batch;
  if (training.count >= needed) return;
  throw new UserError(
    `a step of ${devices} x ${batch} images expected ${needed} training images, ` +
      `got ${training.count}`,
  );
}

function describe(settings: Settings, { training, test }: Mnist, stream: NodeJS.WriteStream): void {
  const { devices, batch, type, seed } = settings;
  stream.write(
    `MNIST: ${training.count.toLocaleString('en')} training images, ` +
      `${test.count.toLocaleString('en')} test images; network 784-128-10\n` +
      `store ${type}; ${devices} x ${batch} images in a step; seed ${seed}\n`,
  );
}

/** What `work` gives, or a rejection as soon as `signal` is aborted. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(new Error('aborted'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  return Promise.race([work, aborted]);
}
