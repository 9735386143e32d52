import { availableParallelism } from 'node:os';

/** Calls asynchronous functions, the next as soon as one of as many as there are cores has ended. */
export async function oneEachCore(jobs) {
  const left = [...jobs];
  async function runAll() {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await next();
  }
  await Promise.all(Array.from({ length: availableParallelism() }, runAll));
}
