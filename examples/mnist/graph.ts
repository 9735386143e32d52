import { parameterKeys, parameterShapes, type Sizes } from './network.js';
import { encodeModel, node, type Constant, type Node, type Value } from './onnx.js';

/** Sizes that are fixed when a graph is built. */
export interface GraphOptions {
  readonly sizes: Sizes;
  /** Images in the data set. */
  readonly images: number;
  /** Images in one step. */
  readonly batch: number;
}

/** Pixels are bytes; the network sees them as 0 .. 1. */
const pixelScale = { float: 1 / 255 };
const float32Type = { int: 1 };
const int64Type = { int: 7 };
const transposed = { int: 1 };

/** The output that holds the gradient of a parameter. */
export const gradientOf = (key: string): string => `gradient of ${key}`;

/**
 * The graph of one training step, in the bytes of an ONNX model. Inputs are the whole data set
 * (`images`, `labels`), the `rows` of it that make the batch, and the parameters; outputs are the
 * `loss` and the gradient of each parameter, all summed over the batch, not averaged: the store adds
 * the devices' sums and its optimizer divides once.
 *
 *     X = images[rows] / 255              Y = one-hot labels[rows]
 *     A = X W1 + b1                       H = max(A, 0)
 *     Z = H W2 + b2                       log P = log softmax(Z)
 *     loss = - sum(Y * log P)
 *
 *     dZ  = P - Y
 *     dW2 = Hᵀ dZ                         db2 = sum over rows of dZ
 *     dA  = dZ W2ᵀ where H > 0, else 0
 *     dW1 = Xᵀ dA                         db1 = sum over rows of dA
 */
export function gradientGraph(options: GraphOptions): Uint8Array {
  const shapes = parameterShapes(options.sizes);
  return encodeModel({
    name: 'gradients',
    inputs: [
      { name: 'images', type: 'uint8', shape: [options.images, options.sizes.inputs] },
      { name: 'labels', type: 'uint8', shape: [options.images] },
      { name: 'rows', type: 'int32', shape: [options.batch] },
      ...parameters(options.sizes),
    ],
    outputs: [
      { name: 'loss', type: 'float32', shape: [] },
      ...parameterKeys.map((key): Value => ({
        name: gradientOf(key),
        type: 'float32',
        shape: shapes[key],
      })),
    ],
    constants: constants(options.sizes),
    nodes: [
      node('X bytes', 'Gather', ['images', 'rows']),
      node('X', 'Cast', ['X bytes'], { to: float32Type }),
      ...forward(),
      ...loss(),
      ...backward(),
    ],
  });
}

/** The graph that gives the `digits` of `images`, `batch` at a time. */
export function predictionGraph({ sizes, batch }: Omit<GraphOptions, 'images'>): Uint8Array {
  return encodeModel({
    name: 'predictions',
    inputs: [{ name: 'images', type: 'uint8', shape: [batch, sizes.inputs] }, ...parameters(sizes)],
    outputs: [{ name: 'digits', type: 'int64', shape: [batch] }],
    constants: [],
    nodes: [
      node('X', 'Cast', ['images'], { to: float32Type }),
      ...forward(),
      node('digits', 'ArgMax', ['Z'], { axis: { int: 1 }, keepdims: { int: 0 } }),
    ],
  });
}

function parameters(sizes: Sizes): readonly Value[] {
  const shapes = parameterShapes(sizes);
  return parameterKeys.map((key) => ({ name: key, type: 'float32', shape: shapes[key] }));
}

function forward(): readonly Node[] {
  return [
    // The pixels are scaled inside of the product: one pass over the batch less.
    node('A', 'Gemm', ['X', 'hidden/weight', 'hidden/bias'], { alpha: pixelScale }),
    node('H', 'Relu', ['A']),
    node('Z', 'Gemm', ['H', 'output/weight', 'output/bias']),
  ];
}

function loss(): readonly Node[] {
  return [
    node('label bytes', 'Gather', ['labels', 'rows']),
    node('label', 'Cast', ['label bytes'], { to: int64Type }),
    node('Y', 'OneHot', ['label', 'classes', 'off and on']),
    node('log P', 'LogSoftmax', ['Z'], { axis: { int: 1 } }),
    node('Y log P', 'Mul', ['Y', 'log P']),
    node('likelihood', 'ReduceSum', ['Y log P'], { keepdims: { int: 0 } }),
    node('loss', 'Neg', ['likelihood']),
  ];
}

function backward(): readonly Node[] {
  return [
    node('P', 'Exp', ['log P']),
    node('dZ', 'Sub', ['P', 'Y']),
    node(gradientOf('output/weight'), 'Gemm', ['H', 'dZ'], { transA: transposed }),
    node(gradientOf('output/bias'), 'ReduceSum', ['dZ', 'rows axis'], { keepdims: { int: 0 } }),
    node('dH', 'Gemm', ['dZ', 'output/weight'], { transB: transposed }),
    node('is active', 'Greater', ['H', 'zero']),
    node('dA', 'Where', ['is active', 'dH', 'zero']),
    node(gradientOf('hidden/weight'), 'Gemm', ['X', 'dA'], {
      transA: transposed,
      alpha: pixelScale,
    }),
    node(gradientOf('hidden/bias'), 'ReduceSum', ['dA', 'rows axis'], { keepdims: { int: 0 } }),
  ];
}

function constants({ classes }: Sizes): readonly Constant[] {
  return [
    { name: 'classes', shape: [1], data: BigInt64Array.of(BigInt(classes)) },
    { name: 'off and on', shape: [2], data: Float32Array.of(0, 1) },
    { name: 'rows axis', shape: [1], data: BigInt64Array.of(0n) },
    { name: 'zero', shape: [], data: Float32Array.of(0) },
  ];
}
