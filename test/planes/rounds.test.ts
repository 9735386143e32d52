import test from 'ava';
import { isReplay, seed } from '../helpers/random.js';
import { launchProgram } from '../helpers/workers.js';
import type { Seen } from '../workers/random-rounds.js';
import { planOf, versionsOf } from './rounds.js';

const groups = ['dist_sync', 'dist_device_sync'].flatMap((type) =>
  [2, 3, 4, 8].map((devices) => ({ type, devices })),
);
const schedulesEach = 50;
const limitMs = 300_000;

for (const { type, devices } of groups) {
  test.serial(
    `rounds of ${devices} devices in random schedules are those of a plain loop: ${type}`,
    async (t) => {
      t.timeout(limitMs);
      const schedules = isReplay ? 1 : schedulesEach;
      const group = await launchProgram<readonly Seen[]>(t, 'random-rounds', {
        devices,
        type,
        args: { seed, schedules },
        timeoutMs: 20_000,
      });
      const results = await group.done;
      const expected = Array.from({ length: schedules }, (_, schedule) => {
        const plan = planOf(seed, schedule);
        return plan.keys.map((key) => versionsOf(plan, key, devices));
      });
      let pulls = 0;
      for (const [rank, seen] of results.entries()) {
        for (const [schedule, key, version, got] of seen) {
          pulls += 1;
          if (expected[schedule]![key]![version] === got) continue;
          const where = `rank ${rank}, key ${key}, version ${version}`;
          t.fail(`${where}: replay with TENSORKV_SEED=${seed + schedule}`);
          return;
        }
      }
      const keys = expected.reduce((sum, each) => sum + each.length, 0);
      t.true(pulls >= keys * devices, 'every device has pulled every key at the end');
    },
  );
}
