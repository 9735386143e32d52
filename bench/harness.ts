import { collectGarbage } from './garbage.js';
import { median, medianRatio, shuffled, uniforms } from './statistics.js';

/** What the variants of a bench must agree on before they are timed. */
export type Check =
  /** A digest of what was computed. All answers of a bench must be equal. */
  | { readonly answer: () => string | Promise<string> }
  /** For what shows no result, as a bound: whether it did what it claims to do. */
  | { readonly holds: () => boolean | Promise<boolean> };

/** One way to do the work that a bench asks about. */
export interface Variant {
  /** Does the work `times` over. Gives the microseconds that took, if it takes its own time. */
  run(times: number): void | Promise<void | number>;
  readonly check: Check;
  /** Microseconds of single rounds, where something took them. */
  readonly roundsUs?: () => Float64Array;
  /** Other figures that it takes itself. */
  readonly notes?: () => Readonly<Record<string, number>>;
}

/** A bench made ready for one size. */
export interface Prepared {
  /** The work in words: how many arrays, of what size. */
  readonly about: string;
  readonly variants: Readonly<Record<string, Variant>>;
  /** The variant that ratios refer to. */
  readonly baseline: string;
  /** Bytes that must move each time the work is done. */
  readonly bytes?: number;
  /** Times that every variant runs before answers are compared. Default 1. */
  readonly verifyTimes?: number;
  /** The right answer, if it can be had without a variant. */
  readonly expected?: string;
  /** Ends the threads that `setup` started. */
  close?(): Promise<void>;
}

/** How large the work is: small enough for a test, or as large as the question. */
export type SizeName = 'smoke' | 'full';

/** What a bench can be asked to vary. */
export interface BenchOptions {
  /** Devices, where a bench has several. */
  readonly devices: number;
  /** Bytes of a tensor, keys, and elements of each; undefined: as the bench has it. */
  readonly bytes?: number | undefined;
  readonly keys?: number | undefined;
  readonly floats?: number | undefined;
  /** Whether to start rivals that have to be installed; those that are missing are left out. */
  readonly outside?: boolean | undefined;
}

/** One question, asked of several variants at several sizes. */
export interface Bench {
  /** The name that the command line takes. */
  readonly name: string;
  /** What the bench answers, as a sentence. */
  readonly question: string;
  readonly sizes: Readonly<Record<SizeName, readonly number[]>>;
  /**
   * Where a full measurement has to be longer than usual: threads that were idle stand on one core until
   * the scheduler looks again, and code on several threads takes longer to become hot.
   */
  readonly effort?: Partial<Pick<Effort, 'sampleMs' | 'warmUpMs'>>;
  /** What the bench varies when it is not asked to vary anything else. */
  readonly series?: Readonly<Record<SizeName, readonly Partial<BenchOptions>[]>>;
  setup(size: number, options: BenchOptions): Prepared | Promise<Prepared>;
  /** The one size that the options ask for, if they do. */
  sizeFor?(options: BenchOptions): number | undefined;
  /** The figures that the bench is about; a line of JSON has these alone. */
  figures?(found: ReadonlyMap<string, Measurement>, options: BenchOptions): Figures;
}

/** Named figures, some of them in groups. */
export type Figures = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** How long to measure. */
export interface Effort {
  /** Rounds to run; without it, rounds fill the window. */
  readonly rounds?: number | undefined;
  /** Time for all rounds of one size, in milliseconds. */
  readonly windowMs: number;
  readonly minRounds: number;
  readonly maxRounds: number;
  /** Time before the first round, for each variant. */
  readonly warmUpMs: number;
  /** Time of one sample: shorter work is repeated until it is filled. */
  readonly sampleMs: number;
  /** Milliseconds that only go forward. Default: the process's own clock. */
  readonly clock?: () => number;
}

/** Efforts by the name of the size. */
export const efforts: Readonly<Record<SizeName, Effort>> = {
  smoke: { windowMs: 0, minRounds: 2, maxRounds: 2, warmUpMs: 0, sampleMs: 0 },
  full: { windowMs: 6000, minRounds: 15, maxRounds: 300, warmUpMs: 300, sampleMs: 5 },
};

/** What was found out about one variant at one size. */
export interface Measurement {
  readonly bench: string;
  readonly size: number;
  readonly about: string;
  readonly variant: string;
  readonly baseline: string;
  readonly medianUs: number;
  readonly minUs: number;
  readonly maxUs: number;
  /** The median over the rounds of this variant's time as a multiple of the baseline's. */
  readonly ratio: number;
  /** Bytes that must move, over the median time, where they are known. */
  readonly gbps?: number;
  readonly verified: true;
  readonly rounds: number;
  /** Microseconds of each sample, by the number of its round. */
  readonly samplesUs: readonly number[];
  /** Microseconds of single rounds, where something took them. */
  readonly roundsUs?: Float64Array;
  /** Other figures that the variant took. */
  readonly notes?: Readonly<Record<string, number>>;
}

/** Variants computed different things, so that their times mean nothing. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

const seed = 1;
const maxTimes = 1_000_000;

/**
 * Measures a bench at one size: compares the answers, warms up, then samples every variant once a
 * round, in an order that changes from round to round. Throws `Disagreement` before any timing when
 * the answers differ.
 */
export async function measure(
  bench: Bench,
  size: number,
  effort: Effort,
  options: BenchOptions,
): Promise<Measurement[]> {
  const prepared = await bench.setup(size, options);
  try {
    await verify(bench, size, prepared);
    const isFull = effort.sampleMs > 0;
    const samples = await sample(prepared, isFull ? { ...effort, ...bench.effort } : effort);
    return summarise(bench, size, prepared, samples);
  } finally {
    await prepared.close?.();
    collectGarbage();
  }
}

/** A variant's `run` for work that is done by one call. */
export function repeat(once: () => void): Variant['run'] {
  return (times) => {
    for (let i = 0; i < times; i++) once();
  };
}

/** A variant's `run` for work that is done by one call, each waiting for the one before. */
export function repeatAsync(once: () => Promise<unknown>): Variant['run'] {
  return async (times) => {
    for (let i = 0; i < times; i++) await once();
  };
}

async function verify(bench: Bench, size: number, prepared: Prepared): Promise<void> {
  const { variants, baseline, expected, verifyTimes = 1 } = prepared;
  const where = `bench ${bench.name} of size ${size}`;
  if (!Object.hasOwn(variants, baseline)) throw new Error(`${where} has no variant ${baseline}`);
  const answers = new Map<string, string>();
  if (expected !== undefined) answers.set('expected', expected);
  for (const [name, { run, check }] of Object.entries(variants)) {
    await run(verifyTimes);
    if ('answer' in check) answers.set(name, await check.answer());
    else if (!(await check.holds()))
      throw new Disagreement(`${where}: ${name} did not do its work`);
  }
  if (new Set(answers.values()).size <= 1) return;
  const shown = [...answers].map(([name, answer]) => `${name} ${answer}`).join(', ');
  throw new Disagreement(`${where}: variants disagree: ${shown}`);
}

const processClock = (): number => performance.now();

async function sample(prepared: Prepared, effort: Effort): Promise<Map<string, number[]>> {
  const variants = Object.entries(prepared.variants);
  const times = new Map<string, number>();
  for (const [name, variant] of variants) times.set(name, await warmUp(variant, effort));
  const samples = new Map<string, number[]>(variants.map(([name]) => [name, []]));
  const random = uniforms(seed);
  const { rounds, minRounds, maxRounds, windowMs, clock = processClock } = effort;
  const endMs = clock() + windowMs;
  const goesOn = (round: number): boolean => {
    if (rounds !== undefined) return round < rounds;
    return round < minRounds || (round < maxRounds && clock() < endMs);
  };
  for (let round = 0; goesOn(round); round++) {
    for (const [name, variant] of shuffled(variants, random)) {
      samples.get(name)!.push(await timeUs(variant, times.get(name)!, clock));
    }
  }
  return samples;
}

/** Runs a variant until it is warm; returns how often it fits into a sample. */
async function warmUp(
  variant: Variant,
  { warmUpMs, sampleMs, clock = processClock }: Effort,
): Promise<number> {
  const endMs = clock() + warmUpMs;
  let times = 1;
  do {
    const us = await timeUs(variant, times, clock);
    const fitting = Math.ceil((sampleMs * 1000) / us);
    // By steps: the first runs are slow, and a clock tick may make one look like nothing.
    times = Math.max(1, Math.min(fitting, times * 10, maxTimes));
  } while (clock() < endMs);
  return times;
}

async function timeUs(variant: Variant, times: number, clock: () => number): Promise<number> {
  const startMs = clock();
  const pending = variant.run(times);
  const ownUs = pending === undefined ? undefined : await pending;
  return (ownUs ?? (clock() - startMs) * 1000) / times;
}

function summarise(
  bench: Bench,
  size: number,
  { about, baseline, bytes, variants }: Prepared,
  samples: ReadonlyMap<string, readonly number[]>,
): Measurement[] {
  return [...samples].map(([variant, us]) => {
    const medianUs = median(us);
    const roundsUs = variants[variant]!.roundsUs?.();
    const notes = variants[variant]!.notes?.();
    return {
      bench: bench.name,
      size,
      about,
      variant,
      baseline,
      medianUs,
      minUs: Math.min(...us),
      maxUs: Math.max(...us),
      ratio: medianRatio(us, samples.get(baseline)!),
      ...(bytes === undefined ? {} : { gbps: bytes / medianUs / 1000 }),
      verified: true,
      rounds: us.length,
      samplesUs: us,
      ...(roundsUs === undefined ? {} : { roundsUs }),
      ...(notes === undefined ? {} : { notes }),
    };
  });
}
