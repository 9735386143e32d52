import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { launch, type GroupEvent, type WorkerGroup } from 'tensorkv';
import type { Settings } from './cli.js';
import { askToStop, createControl, openEpoch, type Control } from './control.js';
import type { Mnist } from './data.js';
import type { DeviceArgs, DeviceReport, DeviceResult, EpochReport, StepReport } from './device.js';
import { meterOtherLoad } from './load.js';

// A device may have to finish loading onnxruntime first, on a busy machine.
const stopWithinMs = 20_000;

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
  /** Cores that other programs kept busy meanwhile. */
  readonly otherCores: number;
}

/** A group of devices that trains one network, an epoch at a time. */
export class TrainingGroup {
  readonly devices: number;
  readonly #group: WorkerGroup<Result>;
  readonly #events: AsyncIterator<GroupEvent>;
  readonly #control: Control;

  private constructor(devices: number, group: WorkerGroup<Result>, control: Control) {
    this.devices = devices;
    this.#group = group;
    this.#events = group[Symbol.asyncIterator]();
    this.#control = control;
  }

  /** Starts `devices` worker threads, which wait for their first epoch. */
  static async start(settings: Settings, devices: number, data: Mnist): Promise<TrainingGroup> {
    const { epochs, batch, lr, momentum, seed, type, cuda } = settings;
    const control = createControl();
    const args: DeviceArgs = { data, epochs, batch, lr, momentum, seed, cuda, control };
    const program = new URL('./device.js', import.meta.url);
    const group = await launch<Result>(program, { devices, type, args });
    return new TrainingGroup(devices, group, control);
  }

  /** Lets the devices run their next epoch, number `epoch`. */
  async runEpoch(epoch: number, onStep: (report: StepReport) => void): Promise<EpochSummary> {
    const otherCores = meterOtherLoad();
    openEpoch(this.#control, epoch + 1);
    const reports: EpochReport[] = [];
    while (reports.length < this.devices) {
      const { value, done } = await this.#events.next();
      if (done) throw new Error(`the devices ended in epoch ${epoch + 1}`);
      const event = value as GroupEvent;
      if (event.type === 'lost') throw event.error;
      if (event.type !== 'report') continue;
      const report = event.data as DeviceReport;
      if (report.kind === 'epoch') reports.push(report);
      else onStep(report);
    }
    return { epoch, ...summarise(reports), otherCores: otherCores() };
  }

  /** What the devices return after their last epoch, by rank. */
  async finish(): Promise<readonly DeviceResult[]> {
    const done = await this.#group.done;
    const results = done.filter((result) => result !== undefined);
    const hashes = new Set(results.map((result) => result.weightsHash));
    assert.equal(hashes.size, 1, 'devices of one store ended with different weights');
    return results;
  }

  /** Ends the devices, in whatever state they are: most of them leave by themselves. */
  async close(): Promise<void> {
    askToStop(this.#control);
    const patience = new AbortController();
    const timeout = setTimeout(stopWithinMs, undefined, { signal: patience.signal });
    await Promise.race([this.#group.done, timeout]).catch(() => undefined);
    patience.abort();
    timeout.catch(() => undefined);
    await this.#group.stop();
  }
}

function summarise(reports: readonly EpochReport[]): Omit<EpochSummary, 'epoch' | 'otherCores'> {
  const total = (pick: (report: EpochReport) => number): number =>
    reports.reduce((sum, report) => sum + pick(report), 0);
  const images = total((report) => report.images);
  const startMs = Math.min(...reports.map((report) => report.startMs));
  const endMs = Math.max(...reports.map((report) => report.endMs));
  return {
    images,
    loss: total((report) => report.summedLoss) / images,
    seconds: (endMs - startMs) / 1000,
    storeShare:
      total((report) => report.storeMs) / total((report) => report.endMs - report.startMs),
  };
}
