/** What becomes of samples: pure functions, nothing of what was measured. */

/** The middle of `samples`, or the mean of the two in the middle. Throws when there are none. */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new Error('a median needs at least one sample');
  const sorted = [...samples].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * How many times as long as the baseline: the median of the ratios of each round. The machine's speed
 * drifts, but hardly within a round. Throws when the two were not sampled in the same rounds.
 */
export function medianRatio(samples: readonly number[], baseline: readonly number[]): number {
  if (samples.length !== baseline.length) {
    throw new Error(`a ratio needs as many samples on both sides`);
  }
  return median(samples.map((sample, round) => sample / baseline[round]!));
}

/** A seeded generator of numbers in [0, 1). */
export function uniforms(seed: number): () => number {
  let state = seed | 0;
  return () => {
    // A Weyl sequence through an integer mixer.
    state = (state + 0x9e3779b9) | 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** `items` in another order, every order as likely as the next. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The smallest of `values` that at least `percent` percent of them do not exceed. */
export function percentile(values: Iterable<number>, percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)]!;
}
