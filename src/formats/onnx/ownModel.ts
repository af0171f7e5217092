/**
 * ONNX files of this program. If the graph is exactly the one this program writes for the network in the metadata, that network is used,
 * which restores dropout, preprocessing and names. Otherwise the network is read from the graph.
 */
import { isDeepStrictEqual } from "node:util";
import * as z from "zod/mini";
import { decisionEntries, formatVersions, jsonText } from "../../checkpoint/metadata.ts";
import { AlexNetError, UnsupportedError } from "../../errors.ts";
import { preprocessingSchema } from "../../image/prepare/preprocess.ts";
import type { OnnxAttributes, OnnxValues } from "../../layers/onnxGraph.ts";
import { headNames } from "../../network/head.ts";
import { type Network, parseNetwork } from "../../network/network.ts";
import { equalShapes } from "../../shape.ts";
import type { ImportedModel } from "../importedModel.ts";
import { describeOnnx, type OnnxModel, type OnnxOptions } from "./describe.ts";
import { attributeTypes, type GraphMessage, type ModelMessage, type NodeMessage } from "./messages.ts";
import { type ExternalBytes, type OnnxTensor, tensorOf } from "./tensors.ts";
import { OPSET } from "./writeOnnx.ts";

const metadataSchema = z.object({
  formatVersion: z.enum(formatVersions),
  head: z._default(z.enum(headNames), "softmax"),
  network: jsonText,
  graph: z.pipe(
    jsonText,
    z.strictObject({
      lrn: z.enum(["native", "decomposed"]),
      output: z.enum(["logits", "probabilities"]),
      pixels: z.optional(z.enum(["nhwc", "nchw"])),
      inputName: z.optional(z.string()),
      int8: z.optional(z.unknown()),
    }),
  ),
  classNames: z.optional(z.pipe(jsonText, z.array(z.string()))),
  ...decisionEntries,
  preprocessing: z.optional(z.pipe(jsonText, preprocessingSchema)),
});

/**
 * Returns undefined if the file is not of this program or was changed. Throws CheckpointError for a damaged parameter, UnsupportedError for
 * 8-bit weights and activations.
 */
export function readOwnModel(
  model: ModelMessage,
  graph: GraphMessage,
  opset: number,
  external: ExternalBytes,
  origin: string,
): ImportedModel | undefined {
  const entries = model.metadataProps.map(({ key = "", value = "" }) => [key, value] as const);
  const parsed = metadataSchema.safeParse(Object.fromEntries(entries));
  if (opset !== OPSET || !parsed.success) return undefined;
  const { network: networkJson, head, classNames, temperature, thresholds, preprocessing } = parsed.data;
  const { int8, ...form } = parsed.data.graph;
  if (int8 !== undefined) {
    throw new UnsupportedError(
      `${origin}: cannot import 8-bit weights and activations; export the run again without --int8`,
    );
  }
  const options = { ...form, head, classNames, temperature, preprocessing };
  const described = describe(networkJson, options, origin);
  if (!described) return undefined;
  const { network, expected } = described;
  const [names, expectedNames] = [
    [...graph.input, ...graph.output].map(({ name }) => name),
    [expected.input.name, expected.output.name],
  ];
  if (!isDeepStrictEqual(names, expectedNames)) return undefined;
  const tensors = parametersOf(graph, expected, external, origin);
  if (!tensors || !isDeepStrictEqual(graph.node.map(nodeData), expected.nodes.map(expectedData))) return undefined;
  return {
    network,
    tensors,
    metadata: {
      endsInSoftmax: head === "softmax" && form.output === "probabilities",
      head,
      producer: "",
      ...(classNames && { classNames }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(thresholds && { thresholds }),
      ...(preprocessing && { preprocessing }),
    },
  };
}

function describe(
  json: unknown,
  options: OnnxOptions,
  origin: string,
): { readonly network: Network; readonly expected: OnnxModel } | undefined {
  try {
    const network = parseNetwork(json, origin);
    return { network, expected: describeOnnx(network, options) };
  } catch (error) {
    if (error instanceof AlexNetError) return undefined;
    throw error;
  }
}

/** Values of the parameters; undefined unless the tensors are the expected ones and the constants are bit-identical. */
function parametersOf(
  { initializer }: GraphMessage,
  { constants, parameters }: OnnxModel,
  external: ExternalBytes,
  origin: string,
): ReadonlyMap<string, Float32Array> | undefined {
  const tensors = new Map(initializer.map((tensor) => [tensor.name ?? "", tensorOf(tensor, external, origin)]));
  if (initializer.length !== constants.length + parameters.length) return undefined;
  for (const { name, shape, values } of constants) {
    const tensor = tensors.get(name);
    if (!tensor || !equalShapes(tensor.shape, shape) || !holds(tensor, values())) return undefined;
  }
  const result = new Map<string, Float32Array>();
  for (const { name, shape } of parameters) {
    const tensor = tensors.get(name);
    if (!tensor || !equalShapes(tensor.shape, shape)) return undefined;
    result.set(name, tensor.floats());
  }
  return result;
}

/** True if a constant has the same values, of the same type. */
function holds(tensor: OnnxTensor, values: OnnxValues): boolean {
  return isDeepStrictEqual(values instanceof Int32Array ? tensor.int32s() : tensor.floats(), values);
}

/** A node as plain data for comparison. */
function nodeData({ opType, input, output, domain = "", attribute }: NodeMessage): unknown {
  const attributes = attribute.map(({ name, type, f, i, ints, s, t, floats }) => {
    const isOdd = s !== undefined || t !== undefined || floats.length > 0;
    const value = type === attributeTypes.FLOAT ? f : type === attributeTypes.INT ? i : [...ints];
    return [name, isOdd ? "odd" : type, value];
  });
  return { operator: opType, inputs: [...input], output: [...output], domain, attributes };
}

function expectedData({ operator, inputs, output, attributes }: OnnxModel["nodes"][number]): unknown {
  return { operator, inputs: [...inputs], output: [output], domain: "", attributes: attributeData(attributes) };
}

function attributeData(attributes: OnnxAttributes): unknown {
  return Object.entries(attributes).map(([name, attribute]) => {
    if ("int" in attribute) return [name, attributeTypes.INT, attribute.int];
    if ("float" in attribute) return [name, attributeTypes.FLOAT, Math.fround(attribute.float)];
    return [name, attributeTypes.INTS, [...attribute.ints]];
  });
}
