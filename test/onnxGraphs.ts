/** ONNX files as other programs write them: a chain from a 3×8×8 image to a few outputs, with any end. */
import {
  bytes,
  chunksOf,
  concatenated,
  type Encoded,
  int,
  ints,
  message,
  text,
} from "../src/formats/containers/protobuf.ts";
import {
  attributeTable,
  attributeTypes,
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
import { drawn } from "./golden.ts";

/** Shape of one image. */
export const imageShape = [3, 8, 8] as const;
const FEATURES = 3 * 3 * 8 * 8;
const FLOAT = 1;

/** An operator at the end of the chain, with its integer attributes. */
export type End = readonly [operator: string, attributes?: Readonly<Record<string, number>>];

/** Weights of the chain, by name. */
export function chainWeights(outputs: number): ReadonlyMap<string, readonly [shape: readonly number[], Float32Array]> {
  return new Map([
    ["conv.weight", [[9, 3, 3, 3], drawn(1, "conv.weight", 9 * 27, -0.4, 0.4)]],
    ["conv.bias", [[9], drawn(1, "conv.bias", 9, -0.1, 0.1)]],
    ["fc.weight", [[outputs, FEATURES], drawn(1, "fc.weight", outputs * FEATURES, -0.12, 0.12)]],
    ["fc.bias", [[outputs], drawn(1, "fc.bias", outputs, -0.1, 0.1)]],
  ]);
}

/** Conv, Relu, Flatten, Gemm and the ends, opset 13. */
export async function onnxChain(
  outputs: number,
  ends: readonly End[],
  weights = chainWeights(outputs),
): Promise<Uint8Array> {
  const chain: readonly (readonly [End, readonly string[]])[] = [
    [
      ["Conv", { kernel_shape: 3, pads: 1 }],
      ["conv.weight", "conv.bias"],
    ],
    [["Relu"], []],
    [["Flatten"], []],
    [
      ["Gemm", { transB: 1 }],
      ["fc.weight", "fc.bias"],
    ],
    ...ends.map((end) => [end, []] as const),
  ];
  const graph = concatenated(
    ...chain.map(([end, parameters], i) =>
      message(graphTable.node.number, encodeNode(end, [`v${i}`, ...parameters], `v${i + 1}`)),
    ),
    text(graphTable.name.number, "main_graph"),
    ...[...weights].map(([name, [shape, values]]) =>
      message(
        graphTable.initializer.number,
        ints(tensorTable.dims.number, shape),
        int(tensorTable.dataType.number, FLOAT),
        text(tensorTable.name.number, name),
        bytes(tensorTable.rawData.number, new Uint8Array(values.buffer)),
      ),
    ),
    message(graphTable.input.number, valueInfo("v0", imageShape)),
    message(graphTable.output.number, valueInfo(`v${chain.length}`, [outputs])),
  );
  const opset = concatenated(text(opsetTable.domain.number, ""), int(opsetTable.version.number, 13));
  const model = concatenated(
    int(modelTable.irVersion.number, 7),
    text(modelTable.producerName.number, "pytorch"),
    message(modelTable.graph.number, graph),
    message(modelTable.opsetImport.number, opset),
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of chunksOf(model)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** Attributes of windows are lists: 2 of `kernel_shape`, 4 of `pads`. */
const lists: Readonly<Record<string, number>> = { kernel_shape: 2, pads: 4 };

function encodeNode([operator, attributes = {}]: End, inputs: readonly string[], output: string): Encoded {
  return concatenated(
    ...inputs.map((input) => text(nodeTable.input.number, input)),
    text(nodeTable.output.number, output),
    text(nodeTable.opType.number, operator),
    ...Object.entries(attributes).map(([name, value]) => {
      const length = lists[name];
      const { number } = nodeTable.attribute;
      const head = text(attributeTable.name.number, name);
      if (length === undefined) {
        const type = int(attributeTable.type.number, attributeTypes.INT);
        return message(number, head, type, int(attributeTable.i.number, value));
      }
      const values = new Array<number>(length).fill(value);
      const type = int(attributeTable.type.number, attributeTypes.INTS);
      return message(number, head, type, ints(attributeTable.ints.number, values));
    }),
  );
}

function valueInfo(name: string, shape: readonly number[]): Encoded {
  const dims = [
    message(shapeTable.dim.number, text(dimensionTable.parameter.number, "N")),
    ...shape.map((extent) => message(shapeTable.dim.number, int(dimensionTable.value.number, extent))),
  ];
  const tensorType = concatenated(
    int(tensorTypeTable.elemType.number, FLOAT),
    message(tensorTypeTable.shape.number, ...dims),
  );
  return concatenated(
    text(valueInfoTable.name.number, name),
    message(valueInfoTable.type.number, message(typeTable.tensorType.number, tensorType)),
  );
}
