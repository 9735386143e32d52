import { decode1bit, decode2bit, encode1bit, encode2bit } from './compression.bench.js';
import { copyToFour, copyToOne } from './copy.bench.js';
import type { Bench } from './harness.js';
import { bench as loopDelay } from './loop-delay.bench.js';
import { bench as manyKeys } from './many-keys.bench.js';
import { bench as mnist } from './mnist.bench.js';
import { bench as oneKey } from './one-key.bench.js';
import { adamStep, adamwStep, lambStep, sgdStep } from './optimizer-steps.bench.js';
import { bench as reduceSum } from './reduce-sum.bench.js';
import { bench as resnet50Step } from './resnet50-step.bench.js';
import { bench as rowSparse } from './row-sparse.bench.js';
import { bench as scaling } from './scaling.bench.js';
import { bench as singleCaller } from './single-caller.bench.js';

/** Every bench, in the order in which they run. */
export const benches: readonly Bench[] = [
  reduceSum,
  sgdStep,
  adamStep,
  adamwStep,
  lambStep,
  copyToOne,
  copyToFour,
  encode2bit,
  encode1bit,
  decode2bit,
  decode1bit,
  singleCaller,
  loopDelay,
  rowSparse,
  oneKey,
  manyKeys,
  resnet50Step,
  scaling,
  mnist,
];
