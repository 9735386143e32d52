import type { StepProblem } from '../step/problem.js';
import { openMpiSteps } from './openmpi.js';
import type { OutsideRival } from './outside-rival.js';
import { torchSteps } from './torch.js';

const starts = {
  openmpi: openMpiSteps,
  torchInProcess: (problem: StepProblem) => torchSteps(problem, 'in-process'),
  ddpGloo: (problem: StepProblem) => torchSteps(problem, 'ddp'),
} as const;

/** A rival that has to be installed. */
export type OutsideName = keyof typeof starts;

/** Those of the rivals that are installed, started. */
export interface OutsideRivals {
  readonly rivals: Readonly<Partial<Record<OutsideName, OutsideRival>>>;
  /** What to say of those that are not. */
  readonly missing: string;
}

/** Starts the rivals of these names, or none where `isAsked` is not set. */
export async function outsideRivals(
  problem: StepProblem,
  names: readonly OutsideName[],
  isAsked = false,
): Promise<OutsideRivals> {
  if (!isAsked) return { rivals: {}, missing: '' };
  const started = await Promise.all(
    names.map(async (name) => [name, await starts[name](problem)] as const),
  );
  const missing = started.filter(([, rival]) => rival === undefined);
  return {
    rivals: Object.fromEntries(started.filter(([, rival]) => rival !== undefined)),
    missing: missing.map(([name]) => `; ${name} missing`).join(''),
  };
}
