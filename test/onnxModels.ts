/** ONNX files from a list of nodes, as any program may write them. */
import {
  bytes,
  concatenated,
  type Encoded,
  float,
  int,
  ints,
  message,
  text,
} from "../src/formats/containers/protobuf.ts";
import {
  attributeTable,
  attributeTypes,
  dataTypes,
  dimensionTable,
  graphTable,
  modelTable,
  nodeTable,
  opsetTable,
  shapeTable,
  tensorTable,
  tensorTypeTable,
  typeTable,
  valueInfoTable,
} from "../src/formats/onnx/messages.ts";
import { messageBytes } from "./messageBytes.ts";

/** A whole number, whole numbers, or `{ float }`. */
export type NodeAttribute = number | readonly number[] | { readonly float: number };
/** An operator, its inputs, its output, and its attributes. */
export type NodeLine = readonly [
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes?: Readonly<Record<string, NodeAttribute>>,
];
export type Constant = readonly [shape: readonly number[], values: Float32Array | readonly number[]];
/** Extents; text for open ones. */
export type Extents = readonly (number | string)[];

export interface OnnxLines {
  readonly nodes: readonly NodeLine[];
  /** Float32Arrays are float32, lists int64. */
  readonly constants?: Readonly<Record<string, Constant>>;
  /** Shape of the input "x"; the output is "y". */
  readonly input: Extents;
  readonly opset?: number;
}

/** Bytes of a model with the input "x" and the output "y". */
export async function onnxModel({ nodes, constants = {}, input, opset = 13 }: OnnxLines): Promise<Uint8Array> {
  const graph = concatenated(
    ...nodes.map((node) => message(graphTable.node.number, encodeNode(node))),
    text(graphTable.name.number, "main_graph"),
    ...Object.entries(constants).map(([name, constant]) =>
      message(graphTable.initializer.number, encodeTensor(name, constant)),
    ),
    message(graphTable.input.number, valueInfo("x", input)),
    message(graphTable.output.number, text(valueInfoTable.name.number, "y"), floatType()),
  );
  const model = concatenated(
    int(modelTable.irVersion.number, 8),
    message(modelTable.graph.number, graph),
    message(modelTable.opsetImport.number, int(opsetTable.version.number, opset)),
  );
  return messageBytes(model);
}

function encodeNode([operator, inputs, output, attributes = {}]: NodeLine): Encoded {
  return concatenated(
    ...inputs.map((name) => text(nodeTable.input.number, name)),
    text(nodeTable.output.number, output),
    text(nodeTable.opType.number, operator),
    ...Object.entries(attributes).map(([name, value]) => {
      const { number } = nodeTable.attribute;
      const head = text(attributeTable.name.number, name);
      const typed = (type: number, content: Encoded) =>
        message(number, head, int(attributeTable.type.number, type), content);
      if (typeof value === "number") return typed(attributeTypes.INT, int(attributeTable.i.number, value));
      if ("float" in value) return typed(attributeTypes.FLOAT, float(attributeTable.f.number, value.float));
      return typed(attributeTypes.INTS, ints(attributeTable.ints.number, value));
    }),
  );
}

function encodeTensor(name: string, [shape, values]: Constant): Encoded {
  const isFloat = values instanceof Float32Array;
  const content = isFloat ? values : BigInt64Array.from(values, BigInt);
  return concatenated(
    ints(tensorTable.dims.number, shape),
    int(tensorTable.dataType.number, isFloat ? dataTypes.FLOAT : dataTypes.INT64),
    text(tensorTable.name.number, name),
    bytes(tensorTable.rawData.number, new Uint8Array(content.buffer, content.byteOffset, content.byteLength)),
  );
}

function valueInfo(name: string, shape: Extents): Encoded {
  const dims = shape.map((extent) =>
    message(
      shapeTable.dim.number,
      typeof extent === "number"
        ? int(dimensionTable.value.number, extent)
        : text(dimensionTable.parameter.number, extent),
    ),
  );
  return concatenated(
    text(valueInfoTable.name.number, name),
    floatType(message(tensorTypeTable.shape.number, ...dims)),
  );
}

function floatType(...shape: readonly Encoded[]): Encoded {
  const tensorType = concatenated(int(tensorTypeTable.elemType.number, dataTypes.FLOAT), ...shape);
  return message(valueInfoTable.type.number, message(typeTable.tensorType.number, tensorType));
}
