import protobuf from 'protobufjs';

/**
 * The part of the ONNX file format (onnx.proto, IR version 8) that a graph of plain operators needs.
 * Names and numbers of the fields are the format; the C++ runtime reads nothing else from us.
 */
const schema = `
  syntax = "proto3";
  message Model {
    int64 ir_version = 1;
    Graph graph = 7;
    repeated OperatorSet opset_import = 8;
  }
  message OperatorSet { string domain = 1; int64 version = 2; }
  message Graph {
    repeated Node node = 1;
    string name = 2;
    repeated Constant initializer = 5;
    repeated Value input = 11;
    repeated Value output = 12;
  }
  message Node {
    repeated string input = 1;
    repeated string output = 2;
    string op_type = 4;
    repeated Attribute attribute = 5;
  }
  message Attribute { string name = 1; float f = 2; int64 i = 3; int32 type = 20; }
  message Constant { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message Value { string name = 1; ValueType type = 2; }
  message ValueType { TensorType tensor_type = 1; }
  message TensorType { int32 elem_type = 1; Shape shape = 2; }
  message Shape { repeated Dimension dim = 1; }
  message Dimension { int64 dim_value = 1; }
`;
const model = protobuf.parse(schema).root.lookupType('Model');

const irVersion = 8;
const operatorSet = 17;
const attributeType = { float: 1, int: 2 } as const;
const elementType = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;

/** Element types that the graphs here use. */
export type ElementType = keyof typeof elementType;

/** A named input or output of a graph. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** A tensor that is part of the graph. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** One operator: `outputs = op(inputs)`. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** The value of an attribute, with the type that ONNX gives it. */
export type Attribute = { readonly int: number } | { readonly float: number };

/** A graph of operators, in an order in which they can run. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
}

/** Shorthand for a node: `output = op(inputs)`. */
export function node(
  output: string,
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { op, inputs, output, attributes };
}

/** `graph` as the bytes of an ONNX model, which an inference session loads. */
export function encodeModel(graph: Graph): Uint8Array {
  return model
    .encode(
      model.fromObject({
        irVersion,
        opsetImport: [{ domain: '', version: operatorSet }],
        graph: {
          name: graph.name,
          node: graph.nodes.map(encodeNode),
          initializer: graph.constants.map(encodeConstant),
          input: graph.inputs.map(encodeValue),
          output: graph.outputs.map(encodeValue),
        },
      }),
    )
    .finish();
}

function encodeNode({ op, inputs, output, attributes }: Node): object {
  return {
    input: inputs,
    output: [output],
    opType: op,
    attribute: Object.entries(attributes).map(([name, value]) =>
      'int' in value
        ? { name, i: value.int, type: attributeType.int }
        : { name, f: value.float, type: attributeType.float },
    ),
  };
}

function encodeConstant({ name, shape, data }: Constant): object {
  const dataType = data instanceof Float32Array ? elementType.float32 : elementType.int64;
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dims: shape, dataType, rawData };
}

function encodeValue({ name, type, shape }: Value): object {
  const dim = shape.map((dimValue) => ({ dimValue }));
  return { name, type: { tensorType: { elemType: elementType[type], shape: { dim } } } };
}
