import type { ScenarioResult } from './run-scenario.js';
import type { Scenario } from './scenario.js';

/** Whether a run kept all promises. */
export function isPassed({ violations, problems }: ScenarioResult): boolean {
  return violations.length === 0 && problems.length === 0;
}

/** A run in one line. */
export function resultLine(result: ScenarioResult): string {
  const { scenario, operations, seconds, checkSeconds, deaths } = result;
  const died = deaths.length === 0 ? '' : `, ${deaths.length} deaths`;
  const took = `${seconds.toFixed(2)} s, checked in ${checkSeconds.toFixed(2)} s`;
  const passed = isPassed(result) ? 'ok    ' : 'FAILED';
  return `${passed} ${scenarioName(scenario)}: ${operations} operations${died}, ${took}`;
}

function scenarioName({ type, devices, keys, bytes, rule, faults, onDeath }: Scenario): string {
  const chaos = faults.length === 0 ? '' : ` ${faults.join('+')} ${onDeath}`;
  return `${type} ${devices} devices ${keys} keys ${bytes} B ${rule}${chaos}`;
}

interface Row {
  runs: number;
  operations: number;
  violations: number;
  problems: number;
  hangs: number;
  seconds: number;
  readonly deaths: Set<string>;
  readonly releasedMs: number[];
}

/** Adds results up by store type and by what befell devices. */
export class Summary {
  readonly #rows = new Map<string, Row>();

  add(result: ScenarioResult): void {
    const { scenario, violations, problems, deaths } = result;
    const { type, rule, faults } = scenario;
    const name = `${type} ${rule}${faults.length === 0 ? '' : ` ${faults.join('+')}`}`;
    const row = this.#rows.get(name) ?? emptyRow();
    row.runs += 1;
    row.operations += result.operations;
    row.violations += violations.length;
    row.problems += problems.length;
    row.hangs += result.isHung ? 1 : 0;
    row.seconds += result.seconds + result.checkSeconds;
    for (const { rank, moment, within, releasedMs } of deaths) {
      row.deaths.add(`${scenario.seed} ${rank} ${moment} ${within}`);
      row.releasedMs.push(...releasedMs);
    }
    this.#rows.set(name, row);
  }

  /** A table of all runs, with their sum. */
  table(): string[] {
    const total = emptyRow();
    for (const row of this.#rows.values()) {
      total.runs += row.runs;
      total.operations += row.operations;
      total.violations += row.violations;
      total.problems += row.problems;
      total.hangs += row.hangs;
      total.seconds += row.seconds;
      for (const death of row.deaths) total.deaths.add(death);
      total.releasedMs.push(...row.releasedMs);
    }
    const lines = [...this.#rows, ['all', total] as const].map(([name, row]) => cellsOf(name, row));
    const widths = headings.map((heading, i) =>
      Math.max(heading.length, ...lines.map((cells) => cells[i]!.length)),
    );
    return [headings, ...lines].map((cells) =>
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  '),
    );
  }
}

const headings = [
  ...['type, rule, faults', 'runs', 'operations', 'violations', 'problems', 'hangs'],
  ...['deaths', 'released: median', 'p99', 'max ms', 'seconds'],
];

function emptyRow(): Row {
  const numbers = { runs: 0, operations: 0, violations: 0, problems: 0, hangs: 0, seconds: 0 };
  return { ...numbers, deaths: new Set(), releasedMs: [] };
}

function cellsOf(name: string, row: Row): string[] {
  const sorted = row.releasedMs.toSorted((a, b) => a - b);
  const at = (part: number): string => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
    return value === undefined ? '-' : value.toFixed(1);
  };
  const { runs, operations, violations, problems, hangs, deaths, seconds } = row;
  const counts = [runs, operations, violations, problems, hangs, deaths.size];
  const numbers = counts.map((each) => each.toLocaleString('en'));
  return [name, ...numbers, at(0.5), at(0.99), at(1), seconds.toFixed(1)];
}
