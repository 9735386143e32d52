import test from 'ava';
import { gpuBenches } from '../../bench/gpu/benches.js';
import { efforts, measure } from '../../bench/harness.js';
import { thisCommit, thisMachine } from '../../bench/machine.js';
import { toJsonLines } from '../../bench/report.js';

const origin = { machine: thisMachine(), commit: thisCommit(), date: '2000-01-31' };

for (const bench of gpuBenches) {
  test.serial(`${bench.name} runs at smoke size, and its answers agree`, async (t) => {
    const options = { devices: 2 };
    const found = await measure(bench, bench.sizes.smoke[0]!, efforts.smoke, options);
    t.is(found[0]!.variant, 'copy');
    t.true(found.length > 1);
    for (const line of toJsonLines(bench, found, options, origin)) {
      t.like(JSON.parse(line), { bench: bench.name, verified: true });
    }
  });
}
