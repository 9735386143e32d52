import { showCount } from '../arrays.js';
import { bytesMoved } from '../limit.js';
import type { Bench } from '../harness.js';
import { resnet50Sizes } from '../resnet50-step.bench.js';
import { torchGpuSteps, torchWays } from '../rivals/torch-gpu.js';
import { localSteps, type StepPlace } from '../step/local.js';
import { expectedAnswer, stepProblem, stepTraffic, verifySteps } from '../step/problem.js';
import { copyOf, gpu, repeatOnDevice } from './device.js';

const onGpu: StepPlace = { type: 'device', device: gpu, repeat: repeatOnDevice };

/** How long does a step through the store take, next to the copy of as many bytes and to PyTorch? */
function stepBench(
  name: string,
  question: string,
  sizes: Bench['sizes'],
  of: (size: number) => number[],
): Bench {
  return {
    name,
    question,
    sizes,
    effort: { sampleMs: 100, warmUpMs: 2000 },
    async setup(size, { devices, outside }) {
      const problem = stepProblem(of(size), devices);
      const bytes = bytesMoved(stepTraffic(problem));
      const ours = await localSteps(problem, onGpu);
      const rivals = outside === true ? await torchGpuSteps(problem) : {};
      const missing = torchWays.filter((way) => !(way in rivals));
      const elements = problem.sizes.reduce((sum, each) => sum + each, 0);
      return {
        about:
          `${problem.sizes.length} tensors of ${showCount(elements)} float32 in all, ${devices} sources and ` +
          `replicas, SGD with momentum${missing.map((way) => `; ${way} missing`).join('')}`,
        baseline: 'copy',
        bytes,
        verifyTimes: verifySteps,
        expected: expectedAnswer(problem),
        variants: {
          copy: copyOf(bytes),
          ours: ours.variant,
          ...Object.fromEntries(Object.entries(rivals).map(([way, { variant }]) => [way, variant])),
        },
        close: async () => {
          await Promise.all([ours, ...Object.values(rivals)].map((each) => each.close()));
        },
      };
    },
    figures(found) {
      const us = (variant: string): number => found.get(variant)!.medianUs;
      const rivals = torchWays
        .filter((way) => found.has(way))
        .map((way) => [way, us(way)] as const);
      return {
        copyUs: us('copy'),
        oursUs: us('ours'),
        ratio: found.get('ours')!.ratio,
        rivals: Object.fromEntries(rivals),
      };
    },
  };
}

export const gpuSteps: readonly Bench[] = [
  stepBench(
    'gpu-resnet50-step',
    'How long does a step over the parameters of ResNet-50 take on the device?',
    { smoke: [4], full: [64] },
    resnet50Sizes,
  ),
  stepBench(
    'gpu-many-keys',
    'How long does a step over many small keys take on the device?',
    { smoke: [10], full: [2000] },
    (count) => new Array<number>(count).fill(64),
  ),
  stepBench(
    'gpu-one-key',
    'How long does a step over one large key take on the device?',
    { smoke: [1000], full: [67_108_864] },
    (length) => [length],
  ),
];
