/** Writes a network as an ONNX model. */
import { encodeDecision, encodeHead } from "../../checkpoint/metadata.ts";
import { CheckpointError, ConfigError, ShapeError } from "../../errors.ts";
import { nonFiniteProblem } from "../../finite.ts";
import { statisticsProblem } from "../../image/prepare/statistics.ts";
import { roundParameter } from "../../int8.ts";
import type { OnnxAttribute, OnnxAttributes, OnnxValues } from "../../layers/onnxGraph.ts";
import { isStochastic, type Network } from "../../network/network.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import {
  bytes,
  chunksOf,
  concatenated,
  type Encoded,
  float,
  int,
  ints,
  laterBytes,
  message,
  text,
} from "../containers/protobuf.ts";
import { describeOnnx, type OnnxModel, type OnnxOptions } from "./describe.ts";
import type { OnnxNode, OnnxParameter } from "./graphBuilder.ts";
import {
  attributeTable,
  attributeTypes,
  dataTypes,
  dimensionTable,
  entryTable,
  graphTable,
  modelTable,
  nodeTable,
  opsetTable,
  shapeTable,
  tensorTable,
  tensorTypeTable,
  typeTable,
  valueInfoTable,
} from "./messages.ts";

/** Operator set version of written graphs, and the matching file format version. */
export const OPSET = 13;
const IR_VERSION = 7;
/** Maximum size of a protobuf message. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Reads the values of a parameter by name, such as `conv1.weight`: weights [O, I, H, W] of convolutions, [O, I] of linear layers, biases [O]. They must
 * stay valid until the next call.
 */
export type ReadParameter = (name: string) => Float32Array | Promise<Float32Array>;

/** A file to be written. `chunks` yields its pieces once; each is valid until the next. */
export interface OnnxFile {
  /** Sum of the lengths of all chunks. */
  readonly byteLength: number;
  /** Bytes of the file, in order. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Encodes a network in evaluation mode as an ONNX model (opset 13) with its parameters. Parameters are read one at a time, while `chunks`
 * is read. The metadata contains network, preprocessing and class names as JSON, with the keys of this program's weights files.
 *
 * Throws ConfigError if the options do not fit the network or the file would exceed protobuf's limit. Reading `chunks` throws ShapeError
 * for a parameter of another size, CheckpointError for one that is not finite.
 */
export function writeOnnx(network: Network, read: ReadParameter, options: OnnxOptions = {}): OnnxFile {
  const problem = options.preprocessing && statisticsProblem(options.preprocessing);
  if (problem !== undefined) throw new ConfigError(`${network.name}: preprocessing: ${problem}`);
  const model = describeOnnx(network, options);
  const encoded = encodeModel(network, model, read, options);
  if (encoded.byteLength > MAX_BYTES) {
    throw new ConfigError(`${network.name}: expected at most 2 GiB for an ONNX file, got ${encoded.byteLength} bytes`);
  }
  return { byteLength: encoded.byteLength, chunks: chunksOf(encoded) };
}

/** Description and metadata of an ONNX file; `options` are those that the graph depends on. */
export function onnxMetadata(network: Network, options: OnnxOptions): Readonly<Record<string, string>> {
  const {
    lrn = "native",
    output = "logits",
    head,
    pixels,
    inputName,
    quantization,
    preprocessing,
    classNames,
    temperature,
    thresholds,
  } = options;
  const int8 = quantization && { calibration: quantization.calibration };
  return {
    ...encodeHead({ head }),
    network: JSON.stringify(network),
    graph: JSON.stringify({
      lrn,
      output,
      ...(pixels && { pixels }),
      ...(inputName && { inputName }),
      ...(int8 && { int8 }),
    }),
    ...(classNames && { classNames: JSON.stringify(classNames) }),
    ...encodeDecision({ temperature, thresholds }),
    ...(preprocessing && { preprocessing: JSON.stringify(preprocessing) }),
  };
}

function encodeModel(network: Network, model: OnnxModel, read: ReadParameter, options: OnnxOptions): Encoded {
  const metadata = Object.entries(onnxMetadata(network, options)).map(([key, value]) =>
    message(modelTable.metadataProps.number, text(entryTable.key.number, key), text(entryTable.value.number, value)),
  );
  return concatenated(
    int(modelTable.irVersion.number, IR_VERSION),
    text(modelTable.producerName.number, "alexnet"),
    text(modelTable.docString.number, docString(network)),
    message(modelTable.graph.number, encodeGraph(network, model, read, options)),
    message(modelTable.opsetImport.number, text(opsetTable.domain.number, ""), int(opsetTable.version.number, OPSET)),
    ...metadata,
  );
}

function docString(network: Network): string {
  const note = isStochastic(network) ? " Dropout, active at evaluation in this network, is off in this file." : "";
  return `${network.name}. ${network.source}.${note}`;
}

function encodeGraph(network: Network, model: OnnxModel, read: ReadParameter, options: OnnxOptions): Encoded {
  const batch = options.batchSize ?? "batch";
  const { input, output } = model;
  return concatenated(
    ...model.nodes.map((node) => message(graphTable.node.number, encodeNode(node))),
    text(graphTable.name.number, network.name),
    ...model.constants.map(({ name, shape, values }) => {
      const array = values();
      const content = bytes(tensorTable.rawData.number, littleEndian(array));
      return message(graphTable.initializer.number, tensorHead(name, shape, typeOf(array)), content);
    }),
    ...model.parameters.map((parameter) => {
      const { name, shape, rounded } = parameter;
      const type = rounded?.type ?? "FLOAT";
      const length = sizeOf(shape) * bytesPerElement[type];
      const content = laterBytes(tensorTable.rawData.number, length, async () =>
        parameterBytes(parameter, await read(name)),
      );
      return message(graphTable.initializer.number, tensorHead(name, shape, type), content);
    }),
    message(graphTable.input.number, valueInfo(input.name, dataTypes[input.type], batch, input.shape)),
    message(graphTable.output.number, valueInfo(output.name, dataTypes.FLOAT, batch, output.shape)),
  );
}

function parameterBytes({ name, shape, rounded }: OnnxParameter, values: Float32Array): Uint8Array {
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError(`${name}: expected ${sizeOf(shape)} values for [${shape.join(", ")}], got ${values.length}`);
  }
  const problem = nonFiniteProblem(values);
  if (problem !== undefined) throw new CheckpointError(`${name}: ${problem}`);
  return littleEndian(rounded ? roundParameter(values, rounded) : values);
}

/** Bytes of f32 values, as a view. All platforms that oneDNN supports are little-endian. */
function littleEndian({ buffer, byteOffset, byteLength }: OnnxValues): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

type TensorType = "FLOAT" | "UINT8" | "INT8" | "INT32";

const bytesPerElement = { FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4 } as const;

function typeOf(values: OnnxValues): TensorType {
  if (values instanceof Float32Array) return "FLOAT";
  if (values instanceof Uint8Array) return "UINT8";
  return values instanceof Int8Array ? "INT8" : "INT32";
}

function tensorHead(name: string, shape: Shape, type: TensorType): Encoded {
  return concatenated(
    ints(tensorTable.dims.number, shape),
    int(tensorTable.dataType.number, dataTypes[type]),
    text(tensorTable.name.number, name),
  );
}

function valueInfo(name: string, type: number, batch: number | string, shape: Shape): Encoded {
  const { value, parameter } = dimensionTable;
  const dims = [batch, ...shape].map((extent) =>
    message(
      shapeTable.dim.number,
      typeof extent === "string" ? text(parameter.number, extent) : int(value.number, extent),
    ),
  );
  const tensorType = concatenated(
    int(tensorTypeTable.elemType.number, type),
    message(tensorTypeTable.shape.number, ...dims),
  );
  return concatenated(
    text(valueInfoTable.name.number, name),
    message(valueInfoTable.type.number, message(typeTable.tensorType.number, tensorType)),
  );
}

function encodeNode({ name, operator, inputs, output, attributes }: OnnxNode): Encoded {
  return concatenated(
    ...inputs.map((input) => text(nodeTable.input.number, input)),
    text(nodeTable.output.number, output),
    text(nodeTable.name.number, name),
    text(nodeTable.opType.number, operator),
    ...encodeAttributes(attributes),
  );
}

function encodeAttributes(attributes: OnnxAttributes): readonly Encoded[] {
  return Object.entries(attributes).map(([name, attribute]) => {
    const [type, value] = attributeValue(attribute);
    const head = [text(attributeTable.name.number, name), int(attributeTable.type.number, type)];
    return message(nodeTable.attribute.number, ...head, value);
  });
}

function attributeValue(attribute: OnnxAttribute): readonly [type: number, value: Encoded] {
  if ("int" in attribute) return [attributeTypes.INT, int(attributeTable.i.number, attribute.int)];
  if ("float" in attribute) return [attributeTypes.FLOAT, float(attributeTable.f.number, attribute.float)];
  return [attributeTypes.INTS, ints(attributeTable.ints.number, attribute.ints)];
}
