/** A seeded generator of numbers in [0, 1): the same seed gives the same numbers everywhere. */
export function uniforms(seed: number): () => number {
  // A Weyl sequence through an integer mixer: consecutive seeds give unrelated numbers.
  let state = mix(seed);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) / 2 ** 32;
  };
}

/** A seeded generator of normal numbers, mean 0 and variance 1, by the Box-Muller transform. */
export function normals(seed: number): () => number {
  const next = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** The numbers 0 .. length - 1 in the order that `seed` and `epoch` say. */
export function permutation(length: number, seed: number, epoch: number): Int32Array {
  const next = uniforms(mix(seed) ^ (epoch + 1));
  const order = Int32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

/** Spreads the bits of a 32-bit integer (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
