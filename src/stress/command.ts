import { writeFile } from 'node:fs/promises';
import type { Violation } from '../history/operation.js';
import { reportHtml } from '../history/report-html.js';
import { violationText } from '../history/report-text.js';
import { replayCommand, stressOptions, usage, UsageError, type StressOptions } from './options.js';
import { runScenario, type ScenarioResult } from './run-scenario.js';
import { ResidentMemory } from './resident-memory.js';
import type { Scenario } from './scenario.js';
import { isPassed, resultLine, Summary } from './summary.js';

/** Where the command writes: results, and what is only of interest while it runs. */
export interface Output {
  result(line: string): void;
  progress(line: string): void;
}

/**
 * Runs `tensorkv stress` with the arguments after `stress`. Resolves with the exit code: 0 where all
 * passed, 1 where not, 2 for a command line that cannot be.
 */
export async function stress(args: readonly string[], output: Output): Promise<number> {
  try {
    const options = stressOptions(args);
    if (options === undefined) {
      output.result(usage.trimEnd());
      return 0;
    }
    return await runAll(options, output);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.progress(`${error.message}\n\n${usage}`);
    return 2;
  }
}

async function runAll(options: StressOptions, output: Output): Promise<number> {
  const { scenarios, minutes, releaseMs } = options;
  const untilMs = performance.now() + minutes * 60_000;
  const summary = new Summary();
  const violations: Violation[] = [];
  const counts = { passed: 0, failed: 0 };
  const lines: string[] = [];
  const memory = new ResidentMemory();
  for (let at = 0; at < scenarios.length || performance.now() < untilMs; at++) {
    if (at > 0 && at % scenarios.length === 0) memory.sample();
    const seed = (options.seed + at) % 2 ** 31;
    const scenario = { ...scenarios[at % scenarios.length]!, seed };
    const result = await runScenario(scenario, releaseMs).catch((error: unknown) =>
      brokenOff(scenario, error),
    );
    summary.add(result);
    output.progress(resultLine(result));
    counts[isPassed(result) ? 'passed' : 'failed'] += 1;
    if (isPassed(result)) continue;
    violations.push(...result.violations);
    const told = failureLines(result);
    lines.push(...told);
    for (const line of told) output.result(line);
  }
  memory.sample();
  const grown = memory.problem();
  if (grown !== undefined) {
    counts.failed += 1;
    lines.push(grown);
    output.result(grown);
  }
  const table = [...summary.table(), memory.line()];
  for (const line of table) output.result(line);
  const closing = `${counts.passed} passed, ${counts.failed} failed`;
  if (options.report !== undefined) {
    const page = reportHtml('tensorkv stress', [closing, ...table, ...lines], violations);
    await writeFile(options.report, page);
  }
  output.result(closing);
  return counts.failed > 0 ? 1 : 0;
}

/** The result of a run that could not even go on to its end. */
function brokenOff(scenario: Scenario, error: unknown): ScenarioResult {
  const problem = `broke off: ${error instanceof Error ? error.stack : String(error)}`;
  const nothing = { operations: 0, seconds: 0, checkSeconds: 0, violations: [], deaths: [] };
  return { ...nothing, scenario, problems: [problem], isHung: false };
}

function failureLines(result: ScenarioResult): string[] {
  return [
    resultLine(result),
    ...result.problems.map((problem) => `  ${problem}`),
    ...result.violations.map(violationText),
    `  again: ${replayCommand(result.scenario)}`,
  ];
}
