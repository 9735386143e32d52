import fc from 'fast-check';
import { openGroup, type Group, type Side } from '../helpers/groups.js';
import { difference, type Outcome } from './outcomes.js';
import { programs, type Program } from './program.js';
import { ProgramRun } from './run.js';
import type { Place } from './tensors.js';
import { cpu } from '../../src/index.js';

/** A group with its keys is used for so many programs: opening one costs more than running some. */
const programsPerGroup = { thread: 40, engine: 12, reference: 12 } as const;
const keysPerProgram = 20;
const timeoutMs = 10_000;

/** Groups of one side that are open, by type and devices. */
class Groups {
  readonly #side: Side;
  readonly #place: Place;
  readonly #open = new Map<string, { readonly group: Group; programs: number }>();

  constructor({ side, place }: PlacedSide) {
    this.#side = side;
    this.#place = place;
  }

  async run(program: Program, number: number): Promise<readonly Outcome[]> {
    const { type, devices, isThreaded } = program;
    const side = isThreaded && this.#side === 'engine' ? 'thread' : this.#side;
    const name = `${type} ${devices} ${side}`;
    let held = this.#open.get(name);
    if (held === undefined) {
      const group = await openGroup(side, { type, workers: devices, timeoutMs });
      held = { group, programs: 0 };
      this.#open.set(name, held);
    }
    held.programs += 1;
    const run = new ProgramRun(held.group, program, {
      base: number * keysPerProgram,
      mayBlock: side === 'thread',
      place: this.#place,
    });
    const outcomes = await run.run();
    if (held.programs >= programsPerGroup[side]) await this.#close(name);
    return outcomes;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((name) => this.#close(name)));
  }

  async #close(name: string): Promise<void> {
    const held = this.#open.get(name);
    this.#open.delete(name);
    await held?.group.close();
  }
}

/** A side, and where the tensors of its programs live. */
export interface PlacedSide {
  readonly side: Side;
  readonly place: Place;
}

const ordinary = [
  { side: 'engine', place: cpu },
  { side: 'reference', place: cpu },
] as const;

/**
 * Runs `count` random programs around the engine and around the reference, or around two others. Returns
 * how many calls they made. Throws with the smallest program found on which the two differ.
 */
export async function compareSides(
  count: number,
  seed: number,
  [one, other]: readonly [PlacedSide, PlacedSide] = ordinary,
): Promise<number> {
  const open = (): readonly [Groups, Groups] => [new Groups(one), new Groups(other)];
  let sides = open();
  let calls = 0;
  let number = 0;
  const property = fc.asyncProperty(programs, async (program) => {
    number += 1; // It names keys, and so seeds the noise of sgld.
    const [engine, reference] = await Promise.all(sides.map((side) => side.run(program, number)));
    calls += reference!.length;
    const differs = difference(engine!, reference!);
    if (differs === undefined) return;
    // Others are not to start from whatever this one has left behind.
    await Promise.all(sides.map((side) => side.close()));
    sides = open();
    throw new Error(differs);
  });
  try {
    await fc.assert(property, { numRuns: count, seed, includeErrorInReport: true });
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
  return calls;
}
