import { showCount } from './arrays.js';
import type { Bench } from './harness.js';
import { medianRatio } from './statistics.js';
import { prepareHeadline } from './step/headline.js';

/** What does the store add to a training step of a real network? With `bytes`, of one tensor. */
export const bench: Bench = {
  name: 'resnet50-step',
  question: 'How long does a step over the parameters of ResNet-50 take, without the network?',
  effort: { sampleMs: 100, warmUpMs: 2000 },
  // Channels of the first layer.
  sizes: { smoke: [4], full: [64] },
  setup(channels, options) {
    const { bytes } = options;
    const sizes = bytes === undefined ? resnet50Sizes(channels) : [Math.ceil(bytes / 4)];
    const elements = sizes.reduce((sum, size) => sum + size, 0);
    const tensors = `${sizes.length} tensors of ${showCount(elements)} float32 in all`;
    return prepareHeadline(sizes, options, tensors);
  },
  figures(found) {
    const us = (variant: string): number => found.get(variant)!.medianUs;
    const outside = ['openmpi', 'torchInProcess', 'ddpGloo'].filter((name) => found.has(name));
    const { samplesUs: view } = found.get('view')!;
    return {
      limitUs: us('limit'),
      sharedLimitUs: us('sharedLimit'),
      kernelsUs: us('kernels'),
      oursUs: us('ours'),
      awaitedUs: us('awaited'),
      viewUs: us('view'),
      localUs: us('local'),
      rivals: {
        ...Object.fromEntries(outside.map((name) => [name, us(name)])),
        nodeShared: us('nodeShared'),
        structuredClones: us('clones'),
      },
      // What ours is made of: the same calls with next to no bytes, what a push adds, and the outs.
      parts: {
        callsUs: us('calls'),
        sumAndUpdateUs: us('push') - us('calls'),
        copiesUs: us('ours') - us('push'),
      },
      ratio: found.get('ours')!.ratio,
      viewRatio: medianRatio(view, found.get('sharedLimit')!.samplesUs),
    };
  },
};

const blocksOfStage = [3, 4, 6, 3];
const inputChannels = 3;
const expansion = 4;
const classes = 1000;

/**
 * Elements of each parameter of ResNet-50, input first: convolutions without bias, each followed by
 * the scale and shift of its batch normalisation, and a fully connected layer. The network proper
 * starts with 64 channels.
 */
export function resnet50Sizes(channels = 64): number[] {
  const sizes: number[] = [];
  const convolution = (inputs: number, outputs: number, kernelSide: number): void => {
    sizes.push(outputs * inputs * kernelSide ** 2, outputs, outputs);
  };
  convolution(inputChannels, channels, 7);
  let inputs = channels;
  blocksOfStage.forEach((blocks, stage) => {
    const width = channels * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      convolution(inputs, width, 1);
      convolution(width, width, 3);
      convolution(width, width * expansion, 1);
      // The first block of a stage changes the width, so its shortcut is a convolution too.
      if (block === 0) convolution(inputs, width * expansion, 1);
      inputs = width * expansion;
    }
  });
  sizes.push(classes * inputs, classes);
  return sizes;
}
