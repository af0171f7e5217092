/**
 * A chain of operations as an ONNX model whose parameters lie in a file beside it. The few protobuf messages that this needs are
 * written here; field numbers are those of onnx.proto.
 *
 * Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; operators of opset 13.
 */
import type { AnyOp, OpKind, OpOptions } from "../../src/engine/engine.ts";
import { ConfigError } from "../../src/errors.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { PARAMETERS_FILE } from "./workload.ts";

const OPSET = 13;
const IR_VERSION = 8;
const FLOAT = 1;
const EXTERNAL = 1;

/** The model's only input and output. */
export const INPUT = "images";
export const OUTPUT = "logits";

type Field = Uint8Array;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function int(number: number, value: number): Field {
  return Uint8Array.from([...varint(number << 3), ...varint(value)]);
}

function float(number: number, value: number): Field {
  return Buffer.concat([Uint8Array.from(varint((number << 3) | 5)), new Uint8Array(Float32Array.of(value).buffer)]);
}

function bytes(number: number, content: Uint8Array): Field {
  return Buffer.concat([Uint8Array.from([...varint((number << 3) | 2), ...varint(content.length)]), content]);
}

function text(number: number, value: string): Field {
  return bytes(number, Buffer.from(value));
}

function message(number: number, ...fields: readonly Field[]): Field {
  return bytes(number, Buffer.concat(fields));
}

/** Attributes: of AttributeProto, name 1, f 2, i 3, ints 8, type 20 (FLOAT 1, INT 2, INTS 7). */
function floatAttribute(name: string, value: number): Field {
  return message(5, text(1, name), float(2, value), int(20, 1));
}

function intAttribute(name: string, value: number): Field {
  return message(5, text(1, name), int(3, value), int(20, 2));
}

function intsAttribute(name: string, values: readonly number[]): Field {
  return message(5, text(1, name), ...values.map((value) => int(8, value)), int(20, 7));
}

interface Operator {
  readonly type: string;
  readonly attributes: readonly Field[];
}

function window(size: number, stride: number, padding: number): readonly Field[] {
  return [
    intsAttribute("kernel_shape", [size, size]),
    intsAttribute("strides", [stride, stride]),
    intsAttribute("pads", [padding, padding, padding, padding]),
  ];
}

function operator(type: string, ...attributes: readonly Field[]): Operator {
  return { type, attributes };
}

/** The operator of each kind; undefined where evaluation passes the values on. */
const operators: {
  readonly [K in OpKind]: (options: OpOptions[K], input: Shape, name: string) => Operator | undefined;
} = {
  conv2d: ({ kernelSize, stride, padding, groups }) =>
    operator("Conv", ...window(kernelSize, stride, padding), intAttribute("group", groups)),
  relu: () => operator("Relu"),
  tanh: () => operator("Tanh"),
  sigmoid: () => operator("Sigmoid"),
  localResponseNorm: ({ size, alpha, beta, k }) =>
    operator(
      "LRN",
      floatAttribute("alpha", alpha),
      floatAttribute("beta", beta),
      floatAttribute("bias", k),
      intAttribute("size", size),
    ),
  maxPool2d: ({ kernelSize, stride, padding }) => operator("MaxPool", ...window(kernelSize, stride, padding)),
  averagePool2d: (_options, _input, name) => {
    throw new ConfigError(`${name}: average pooling is in no network that is compared`);
  },
  adaptiveAveragePool2d: ({ outputSize }, [, height = 0, width = 0], name) => {
    if (height !== width || height % outputSize !== 0) {
      throw new ConfigError(
        `${name}: ONNX has no adaptive pooling of ${height}×${width} to ${outputSize}×${outputSize}`,
      );
    }
    const size = height / outputSize;
    return size === 1 ? undefined : operator("AveragePool", ...window(size, size, 0));
  },
  flatten: () => operator("Flatten", intAttribute("axis", 1)),
  linear: () => operator("Gemm", intAttribute("transB", 1)),
  dropout: ({ activeAtEvaluation }, _input, name) => {
    if (activeAtEvaluation) throw new ConfigError(`${name}: dropout at evaluation is not written to ONNX`);
    return undefined;
  },
};

function operatorOf<K extends OpKind>(op: { kind: K; options: OpOptions[K]; inputShape: Shape; name: string }) {
  return operators[op.kind](op.options, op.inputShape, op.name);
}

/** NodeProto: input 1, output 2, name 3, op_type 4, attribute 5. */
function node(op: AnyOp, { type, attributes }: Operator, input: string, output: string): Field {
  const inputs = [input, ...op.parameters.map(({ name }) => name)];
  return message(
    1,
    ...inputs.map((name) => text(1, name)),
    text(2, output),
    text(3, op.name),
    text(4, type),
    ...attributes,
  );
}

/** ValueInfoProto: name 1, type 2, in which tensor_type 1 has elem_type 1 and shape 2, in which dim 1 has dim_value 1. */
function valueInfo(number: number, name: string, shape: Shape): Field {
  const dims = shape.map((extent) => message(1, int(1, extent)));
  return message(number, text(1, name), message(2, message(1, int(1, FLOAT), message(2, ...dims))));
}

/** TensorProto: dims 1, data_type 2, name 8, external_data 13, data_location 14. */
function externalTensor(name: string, shape: Shape, offset: number): Field {
  const entry = (key: string, value: string) => message(13, text(1, key), text(2, value));
  return message(
    5,
    ...shape.map((extent) => int(1, extent)),
    int(2, FLOAT),
    text(8, name),
    entry("location", PARAMETERS_FILE),
    entry("offset", String(offset)),
    entry("length", String(sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT)),
    int(14, EXTERNAL),
  );
}

/**
 * The model for a batch size, as at evaluation. Its parameters are those of a workload's file, which must lie in the same folder.
 *
 * Throws ConfigError naming a layer that ONNX does not have.
 */
export function encodeOnnxModel(ops: readonly AnyOp[], inputShape: Shape, batchSize: number): Uint8Array {
  const nodes: Field[] = [];
  let value = INPUT;
  const placed = ops.map((op) => ({ op, operator: operatorOf(op as never) })).filter(({ operator }) => operator);
  placed.forEach(({ op, operator }, i) => {
    const output = i === placed.length - 1 ? OUTPUT : op.name;
    if (operator) nodes.push(node(op, operator, value, output));
    value = output;
  });
  let offset = 0;
  const initializers = ops
    .flatMap((op) => op.parameters)
    .map(({ name, shape }) => {
      const tensor = externalTensor(name, shape, offset);
      offset += sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;
      return tensor;
    });
  const outputShape = ops.at(-1)?.outputShape ?? [];
  const graph = message(
    7,
    ...nodes,
    text(2, "network"),
    ...initializers,
    valueInfo(11, INPUT, [batchSize, ...inputShape]),
    valueInfo(12, OUTPUT, [batchSize, ...outputShape]),
  );
  return Buffer.concat([int(1, IR_VERSION), message(8, int(2, OPSET)), graph]);
}
