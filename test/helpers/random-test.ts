import test, { type ExecutionContext } from 'ava';
import { isReplay, Random, seed } from './random.js';

const limitMs = 300_000;

/**
 * Declares a test of `count` random schedules, each with a seed of its own. The first that fails is
 * named with the seed that replays it alone.
 */
export function randomTest(
  title: string,
  count: number,
  run: (t: ExecutionContext, random: Random) => Promise<void>,
): void {
  test(title, async (t) => {
    t.timeout(limitMs);
    const seeds = Array.from({ length: isReplay ? 1 : count }, (_, i) => seed + i);
    for (const each of seeds) {
      const failed = await t.try((attempt) => run(attempt, new Random(each)));
      if (!failed.passed) t.log(`replay with TENSORKV_SEED=${each}`);
      failed.commit();
      if (!failed.passed) return;
    }
  });
}
