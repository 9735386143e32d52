import type { Violation } from '../history/operation.js';
import { readHistory, recordedCount, recorderMemories } from '../history/recorder.js';
import { launch, type GroupEvent, type WorkerGroup } from '../index.js';
import { deathOf, type Death } from './deaths.js';
import type { DeviceReport, DeviceResult, DeviceTask } from './device-task.js';
import { Random } from './random.js';
import { logMemory } from './rules.js';
import { isFatal, planOf, stressTypes, type Plan, type Scenario } from './scenario.js';
import { judge } from './verdict.js';
import { WatchedThreads } from './watched-threads.js';

/** How a run went. */
export interface ScenarioResult {
  readonly scenario: Scenario;
  /** Keys pushed and pulled. */
  readonly operations: number;
  /** Of the run, and of checking it. */
  readonly seconds: number;
  readonly checkSeconds: number;
  readonly violations: readonly Violation[];
  /** What went wrong beside the history: hangs, leaks, errors that nobody should have seen. */
  readonly problems: readonly string[];
  readonly deaths: readonly Death[];
  readonly isHung: boolean;
}

/** A run in which nothing was begun for twice as long hangs; once may be a process that was stopped. */
const lookMs = 15_000;
/** How long threads may take to end after their group has. */
const threadGraceMs = 5000;
/** Terminations come up to so much after their device has asked for it. */
const longestDelayNs = 400_000;

/** Runs a scenario to its end and checks all that was seen. One at a time. */
export async function runScenario(scenario: Scenario, releaseMs: number): Promise<ScenarioResult> {
  const plan = planOf(scenario);
  // A first round, a last pull, and single calls beside.
  const capacity = scenario.keys * (2 * plan.rounds + 4);
  const memories = recorderMemories(plan.threads, { capacity, width: plan.width });
  const log = scenario.rule === 'log' ? logMemory(scenario, plan) : undefined;
  const here = new Int32Array(new SharedArrayBuffer(4));
  const run = new Run(scenario, plan, { scenario, memories, log, here });
  const started = process.hrtime.bigint();
  await run.toEnd();
  const ended = process.hrtime.bigint();
  const deaths = run.deaths();
  const history = readHistory(memories);
  const violations = judge(history, { scenario, plan, log });
  const slowest = Math.max(0, ...deaths.flatMap((death) => death.releasedMs));
  if (slowest > releaseMs) {
    run.problems.push(`expected release within ${releaseMs} ms of a death, got ${slowest} ms`);
  }
  return {
    scenario,
    operations: history.length,
    seconds: Number(ended - started) / 1e9,
    checkSeconds: Number(process.hrtime.bigint() - ended) / 1e9,
    violations,
    problems: run.problems,
    deaths,
    isHung: run.isHung,
  };
}

class Run {
  readonly problems: string[] = [];
  isHung = false;
  readonly #scenario: Scenario;
  readonly #plan: Plan;
  readonly #task: DeviceTask;
  readonly #random: Random;
  readonly #threads: WatchedThreads;
  readonly #threadIds: number[] = [];
  readonly #lost = new Set<number>();

  constructor(scenario: Scenario, plan: Plan, task: DeviceTask) {
    this.#scenario = scenario;
    this.#plan = plan;
    this.#task = task;
    this.#random = new Random(scenario.seed ^ 0x5bd1e995);
    this.#threads = new WatchedThreads(() => this.#nowNs());
  }

  async toEnd(): Promise<void> {
    const { type, onDeath } = this.#scenario;
    const group = await launch<DeviceResult>(new URL('./device.js', import.meta.url), {
      devices: this.#plan.threads,
      type: stressTypes[type].isGroup ? type : 'dist_sync',
      args: this.#task,
      timeoutMs: this.#plan.timeoutMs,
      onDeath,
      ...(type === 'dist_ssp' ? { staleness: this.#plan.staleness } : {}),
    });
    const watchdog = this.#watchFor(group);
    for await (const event of group) this.#hear(event);
    await group.done.catch(() => undefined); // Losses and results are in the events.
    clearInterval(watchdog);
    const left = await this.#threads.close(threadGraceMs);
    if (left > 0) this.problems.push(`expected all threads to end, got ${left} that did not`);
  }

  /** What became of the devices that died. */
  deaths(): Death[] {
    return [...this.#lost].flatMap((rank) => {
      const exitNs = this.#threads.exitNs(this.#threadIds[rank]!);
      return exitNs === undefined ? [] : [deathOf({ rank, exitNs }, this.#task.memories)];
    });
  }

  #nowNs(): number {
    return Number(process.hrtime.bigint() - this.#task.memories[0]!.originNs);
  }

  #hear(event: GroupEvent): void {
    const { rank } = event;
    if (event.type === 'lost') {
      this.#lost.add(rank);
      const isPlanned = isFatal(this.#plan.faults[rank], this.#plan);
      if (!isPlanned) this.problems.push(`${event.error.message}`);
      return;
    }
    if (event.type === 'finished') this.#check(rank, event.result as DeviceResult);
    if (event.type !== 'report') return;
    const report = event.data as DeviceReport;
    if (report.type === 'started') this.#threadIds[rank] = report.threadId;
    else this.#kill(rank);
  }

  /** At a random moment; this thread has nothing else to do. */
  #kill(rank: number): void {
    const untilNs = this.#nowNs() + this.#random.integer(longestDelayNs);
    while (this.#nowNs() < untilNs);
    this.#threads.terminate(this.#threadIds[rank]!);
  }

  /** Ends the group when nothing has been begun for too long. */
  #watchFor(group: WorkerGroup<DeviceResult>): NodeJS.Timeout {
    let last = -1;
    let looks = 0;
    return setInterval(() => {
      const count = this.#task.memories.reduce((sum, each) => sum + recordedCount(each), 0);
      looks = count === last ? looks + 1 : 0;
      last = count;
      if (looks < 2 || this.isHung) return;
      this.isHung = true;
      this.problems.push(`expected calls to go on, got none for ${(2 * lookMs) / 1000} s`);
      void group.stop();
    }, lookMs);
  }

  #check(rank: number, { bytesBefore, bytesAfter, inFlight, problems }: DeviceResult): void {
    this.problems.push(...problems.map((problem) => `rank ${rank}: ${problem}`));
    if (inFlight > 0) this.problems.push(`rank ${rank}: ${inFlight} calls without an answer`);
    if (bytesAfter > bytesBefore + mostGrowth(this.#scenario)) {
      const grown = `from ${bytesBefore} to ${bytesAfter} bytes`;
      this.problems.push(`rank ${rank}: expected a store that does not grow, got ${grown}`);
    }
  }
}

/** Bytes that a store may take in the course of a run, beside those after its first round. */
function mostGrowth({ type, rule, keys, bytes }: Scenario): number {
  // Views that are held while others push make buffers of their own.
  if (rule === 'log') return Infinity;
  // An updater function reads a sum, and those of all keys may be open at the same time.
  return rule === 'assign' && stressTypes[type].order !== 'rounds' ? keys * bytes : 0;
}
