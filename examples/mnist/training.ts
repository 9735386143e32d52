import { setTimeout } from 'node:timers/promises';
import { launch, type DeviceGroup } from 'tensorkv';
import type { Settings } from './cli.js';
import { askToStop, createControl, openEpoch, type Control } from './control.js';
import type { Mnist } from './data.js';
import type { DeviceArgs, DeviceReport, DeviceResult, EpochReport, StepReport } from './device.js';

const stopWithinMs = 2000;

/** A device that was asked to stop has no result. */
type Result = DeviceResult | undefined;

/** One epoch of a group of devices. */
export interface EpochSummary {
  readonly epoch: number;
  /** Mean loss of an image. */
  readonly loss: number;
  readonly images: number;
  readonly seconds: number;
  /** Share of the devices' time that went into calls of the store, waiting included. */
  readonly storeShare: number;
}

/** A group of devices that trains one network, an epoch at a time. */
export class TrainingGroup {
  readonly devices: number;
  readonly #group: DeviceGroup<DeviceReport, Result>;
  readonly #events: AsyncIterator<{ readonly rank: number; readonly data: DeviceReport }>;
  readonly #control: Control;

  private constructor(
    devices: number,
    group: DeviceGroup<DeviceReport, Result>,
    control: Control,
  ) {
    this.devices = devices;
    this.#group = group;
    this.#events = group[Symbol.asyncIterator]();
    this.#control = control;
    // Whoever waits for an epoch or for the end meets the failure; nobody may be waiting.
    group.done.catch(() => undefined);
  }

  /** Starts `devices` worker threads, which wait for their first epoch. */
  static async start(settings: Settings, devices: number, data: Mnist): Promise<TrainingGroup> {
    const { epochs, batch, lr, momentum, seed, type } = settings;
    const control = createControl();
    // An asynchronous store updates the weights at each push, the others once all devices pushed.
    const updateImages = type === 'dist_async' ? batch : batch * devices;
    const args: DeviceArgs = { data, epochs, batch, lr, momentum, seed, updateImages, control };
    const program = new URL('./device.js', import.meta.url);
    const group = await launch<DeviceReport, Result>(program, { devices, type, args });
    return new TrainingGroup(devices, group, control);
  }

  /** Lets the devices run their next epoch, number `epoch`. */
  async runEpoch(epoch: number, onStep: (report: StepReport) => void): Promise<EpochSummary> {
    openEpoch(this.#control, epoch + 1);
    const reports: EpochReport[] = [];
    while (reports.length < this.devices) {
      const { value, done } = await this.#events.next();
      if (done) {
        await this.#group.done;
        throw new Error(`a device ended in epoch ${epoch + 1}`);
      }
      if (value.data.kind === 'epoch') reports.push(value.data);
      else onStep(value.data);
    }
    return summarise(epoch, reports);
  }

  /** What the devices return after their last epoch, by rank. */
  async finish(): Promise<readonly DeviceResult[]> {
    const results = await this.#group.done;
    return results.filter((result) => result !== undefined);
  }

  /** Ends the devices, in whatever state they are: most of them leave by themselves. */
  async close(): Promise<void> {
    askToStop(this.#control);
    const patience = new AbortController();
    const timeout = setTimeout(stopWithinMs, undefined, { signal: patience.signal });
    await Promise.race([this.#group.done, timeout]).catch(() => undefined);
    patience.abort();
    timeout.catch(() => undefined);
    await this.#group.close();
  }
}

function summarise(epoch: number, reports: readonly EpochReport[]): EpochSummary {
  const total = (pick: (report: EpochReport) => number): number =>
    reports.reduce((sum, report) => sum + pick(report), 0);
  const images = total((report) => report.images);
  const startMs = Math.min(...reports.map((report) => report.startMs));
  const endMs = Math.max(...reports.map((report) => report.endMs));
  return {
    epoch,
    images,
    loss: total((report) => report.summedLoss) / images,
    seconds: (endMs - startMs) / 1000,
    storeShare:
      total((report) => report.storeMs) / total((report) => report.endMs - report.startMs),
  };
}
