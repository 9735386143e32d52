import { full, launch, zeros } from '../../src/index.js';
import { program } from '../helpers/workers.js';
import type { Args, Resident } from '../workers/gigabyte.js';

/** A process of its own, so that its memory is that of one store: resident.test.ts. */
const [devices, keys, bytesPerKey, steps, options] = JSON.parse(process.argv[2]!) as [
  number,
  number,
  number,
  number,
  Args['options'],
];
const length = bytesPerKey / 4;
const args: Args = { gradient: full(length, 1), out: zeros(length).fill(0), keys, steps, options };
const group = await launch<Resident>(program('gigabyte'), { devices, args });
const [first] = await group.done;
process.stdout.write(JSON.stringify(first));
