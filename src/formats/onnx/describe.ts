/** What a network is as an ONNX graph: everything but the values of its parameters. */

import { ConfigError } from "../../errors.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import type { LrnForm } from "../../layers/onnxGraph.ts";
import { type Network, operations } from "../../network/network.ts";
import type { Shape } from "../../shape.ts";
import type { Quantization } from "../quantization.ts";
import { createGraphBuilder, type OnnxDescription, writeLayers } from "./graphBuilder.ts";
import { type PixelLayout, pixelShape, writePreprocessing } from "./preprocessing.ts";
import { writeQuantizedLayers } from "./quantize.ts";

/** What an ONNX file is to take, compute and tell. */
export interface OnnxOptions {
  /** The operator LRN, or the same from others for runtimes without it. Default native. */
  readonly lrn?: LrnForm | undefined;
  /** Images of one call; left out, any number. */
  readonly batchSize?: number | undefined;
  /** Default logits. */
  readonly output?: "logits" | "probabilities" | undefined;
  /** Take 8-bit pixels of the input's size, and prepare them inside; needs `preprocessing`. */
  readonly pixels?: PixelLayout | undefined;
  /** Weights and activations of 8 bits. */
  readonly quantization?: Quantization | undefined;
  /** Kept in the metadata. */
  readonly preprocessing?: Preprocessing | undefined;
  /** Kept in the metadata. */
  readonly classNames?: readonly string[] | undefined;
}

/** A graph with its input and output; shapes are of one image. */
export interface OnnxModel extends OnnxDescription {
  readonly input: { readonly name: string; readonly shape: Shape; readonly type: "FLOAT" | "UINT8" };
  readonly output: { readonly name: string; readonly shape: Shape };
}

/**
 * The graph of a network as at evaluation. Dropout is left out, where it would stay active too.
 *
 * Throws ConfigError if pixels are asked for without a preprocessing that fits the network.
 */
export function describeOnnx(network: Network, options: OnnxOptions = {}): OnnxModel {
  const { lrn = "native", output: outputName = "logits", pixels, quantization } = options;
  const ops = operations(network);
  const parameters = ops.flatMap((op) =>
    op.parameters.map(({ name, shape }) => ({ name, shape, rounded: quantization?.parameters.get(name) })),
  );
  const inputName = pixels ? "pixels" : "images";
  const graph = createGraphBuilder(lrn, [inputName, outputName, ...parameters.map(({ name }) => name)]);
  const images = pixels ? writePreprocessing(checkedFor(network, options), pixels, inputName, graph) : inputName;
  const logits = quantization
    ? writeQuantizedLayers(network, images, graph, quantization)
    : writeLayers(network, images, graph);
  graph.enter("softmax");
  const last = outputName === "probabilities" ? graph.node("Softmax", [logits], { axis: { int: 1 } }) : logits;
  return {
    ...graph.finish(last, outputName),
    parameters,
    input: {
      name: inputName,
      shape: pixels ? pixelShape(network.input, pixels) : network.input,
      type: pixels ? "UINT8" : "FLOAT",
    },
    output: { name: outputName, shape: ops.at(-1)?.outputShape ?? network.input },
  };
}

function checkedFor({ name, input }: Network, { preprocessing }: OnnxOptions): Preprocessing {
  const [channels, height, width] = input;
  if (preprocessing?.channels === channels && preprocessing.size[0] === height && preprocessing.size[1] === width) {
    return preprocessing;
  }
  const got = preprocessing ? `${preprocessing.channels}×${preprocessing.size.join("×")}` : "none";
  throw new ConfigError(`${name}: pixels inside the graph need a preprocessing to ${input.join("×")}, got ${got}`);
}
