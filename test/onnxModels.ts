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

/** A whole number, whole numbers, `{ float }`, `{ text }` or `{ tensor }`. */
export type NodeAttribute =
  | number
  | readonly number[]
  | { readonly float: number }
  | { readonly text: string }
  | { readonly tensor: Constant };
/** An operator, its inputs, its output, and its attributes. */
export type NodeLine = readonly [
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes?: Readonly<Record<string, NodeAttribute>>,
];
/** Arrays of floats have their own type, lists are int64. */
export type Constant = readonly [
  shape: readonly number[],
  values: Float32Array | Float64Array | Halves | readonly number[],
];

/** Bits of 16-bit floats. */
export interface Halves {
  readonly type: "FLOAT16" | "BFLOAT16";
  readonly bits: Uint16Array;
}
/** Extents; text for open ones. */
export type Extents = readonly (number | string)[];

export interface OnnxLines {
  readonly nodes: readonly NodeLine[];
  readonly constants?: Readonly<Record<string, Constant>>;
  /** Shape of the input "x"; the output is "y". */
  readonly input: Extents;
  readonly opset?: number;
  /** Type of the input. */
  readonly type?: keyof typeof dataTypes;
}

/** Bytes of a model with the input "x" and the output "y". */
export async function onnxModel({
  nodes,
  constants = {},
  input,
  opset = 13,
  type = "FLOAT",
}: OnnxLines): Promise<Uint8Array> {
  const graph = concatenated(
    ...nodes.map((node) => message(graphTable.node.number, encodeNode(node))),
    text(graphTable.name.number, "main_graph"),
    ...Object.entries(constants).map(([name, constant]) =>
      message(graphTable.initializer.number, encodeTensor(name, constant)),
    ),
    message(graphTable.input.number, valueInfo("x", input, dataTypes[type])),
    message(graphTable.output.number, text(valueInfoTable.name.number, "y"), tensorType(dataTypes.FLOAT)),
  );
  const model = concatenated(
    int(modelTable.irVersion.number, 8),
    message(modelTable.graph.number, graph),
    message(modelTable.opsetImport.number, int(opsetTable.version.number, opset)),
  );
  return messageBytes(model);
}

/** AttributeProto.AttributeType of values that this program does not write. */
const [STRING, TENSOR] = [3, 4];

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
      if ("text" in value) return typed(STRING, text(attributeTable.s.number, value.text));
      if ("tensor" in value) return typed(TENSOR, message(attributeTable.t.number, encodeTensor("", value.tensor)));
      if ("float" in value) return typed(attributeTypes.FLOAT, float(attributeTable.f.number, value.float));
      return typed(attributeTypes.INTS, ints(attributeTable.ints.number, value));
    }),
  );
}

function encodeTensor(name: string, [shape, values]: Constant): Encoded {
  const [type, content] = stored(values);
  return concatenated(
    ints(tensorTable.dims.number, shape),
    int(tensorTable.dataType.number, dataTypes[type]),
    text(tensorTable.name.number, name),
    bytes(tensorTable.rawData.number, new Uint8Array(content.buffer, content.byteOffset, content.byteLength)),
  );
}

function stored(values: Constant[1]): readonly [keyof typeof dataTypes, ArrayBufferView] {
  if (values instanceof Float32Array) return ["FLOAT", values];
  if (values instanceof Float64Array) return ["DOUBLE", values];
  if ("bits" in values) return [values.type, values.bits];
  return ["INT64", BigInt64Array.from(values, BigInt)];
}

function valueInfo(name: string, shape: Extents, type: number): Encoded {
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
    tensorType(type, message(tensorTypeTable.shape.number, ...dims)),
  );
}

function tensorType(type: number, ...shape: readonly Encoded[]): Encoded {
  const encoded = concatenated(int(tensorTypeTable.elemType.number, type), ...shape);
  return message(valueInfoTable.type.number, message(typeTable.tensorType.number, encoded));
}
