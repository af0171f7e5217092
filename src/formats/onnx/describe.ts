/** A network as an ONNX graph, with preprocessing and quantization, without parameter values. */

import { decodeBase64 } from "../../base64.ts";
import type { AnyOp, Op } from "../../engine/engine.ts";
import { ConfigError } from "../../errors.ts";
import type { PixelSize } from "../../image/image.ts";
import { frameSizeOf, leavesBorder, placementOf } from "../../image/prepare/fit.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { IMAGES, type RoundedParameter } from "../../int8.ts";
import type { LrnForm } from "../../layers/onnxGraph.ts";
import { type HeadName, requireProbabilities } from "../../network/head.ts";
import { type Network, operations } from "../../network/network.ts";
import type { Shape } from "../../shape.ts";
import { int8Layers, type Quantization } from "../quantization.ts";
import {
  createGraphBuilder,
  type OnnxDescription,
  type OnnxGraphBuilder,
  writeLayer,
  writeLayers,
} from "./graphBuilder.ts";

/** Options of an ONNX file. */
export interface OnnxOptions {
  /** Operator LRN, or an equivalent of other operators for runtimes without it. Default native. */
  readonly lrn?: LrnForm | undefined;
  /** Fixed batch size; absent for any. */
  readonly batchSize?: number | undefined;
  /** Function from outputs to probabilities; stored in the metadata. Default softmax. */
  readonly head?: HeadName | undefined;
  /** Divisor of the logits before the head: in the graph of probabilities, and stored in the metadata. Default 1. */
  readonly temperature?: number | undefined;
  /** Default logits: the outputs before the head, not divided by the temperature. */
  readonly output?: "logits" | "probabilities" | undefined;
  /** Accepts 8-bit pixels of the input's size and preprocesses them in the graph; requires `preprocessing`. */
  readonly pixels?: PixelLayout | undefined;
  /** Name of the input. Default `images`, or `pixels` for 8-bit pixels. */
  readonly inputName?: string | undefined;
  /** Quantizes weights and activations to 8 bits. */
  readonly quantization?: Quantization | undefined;
  /** Stored in the metadata. */
  readonly preprocessing?: Preprocessing | undefined;
  /** Stored in the metadata. */
  readonly classNames?: readonly string[] | undefined;
  /** Stored in the metadata. */
  readonly thresholds?: readonly number[] | undefined;
}

/** A graph with its input and output; shapes are of one image. */
export interface OnnxModel extends OnnxDescription {
  readonly input: { readonly name: string; readonly shape: Shape; readonly type: "FLOAT" | "UINT8" };
  readonly output: { readonly name: string; readonly shape: Shape };
}

/**
 * Builds a network's graph in evaluation mode. Dropout is omitted, even in networks that keep it active.
 *
 * Throws ConfigError for pixel input without a fitting preprocessing, or probabilities of a head without them.
 */
export function describeOnnx(network: Network, options: OnnxOptions = {}): OnnxModel {
  const { lrn = "native", output: outputName = "logits", pixels, quantization } = options;
  const ops = operations(network);
  const parameters = ops.flatMap((op) =>
    op.parameters.map(({ name, shape }) => ({ name, shape, rounded: quantization?.parameters.get(name) })),
  );
  const { inputName = pixels ? "pixels" : "images" } = options;
  const graph = createGraphBuilder(lrn, [inputName, outputName, ...parameters.map(({ name }) => name)]);
  const images = pixels ? writePreprocessing(checkedFor(network, options), pixels, inputName, graph) : inputName;
  const logits = quantization
    ? writeQuantizedLayers(network, images, graph, quantization)
    : writeLayers(network, images, graph);
  const last = outputName === "probabilities" ? writeHead(network, options, logits, graph) : logits;
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

/** Writes the head after the outputs; returns the probabilities. */
function writeHead(
  { name }: Network,
  { head = "softmax", temperature = 1 }: OnnxOptions,
  logits: string,
  graph: OnnxGraphBuilder,
) {
  requireProbabilities(head, name);
  graph.enter(head);
  const divisor = () => graph.constant("temperature", [], () => Float32Array.of(temperature));
  const scores = temperature === 1 ? logits : graph.node("Div", [logits, divisor()], {}, "divided");
  return head === "softmax" ? graph.node("Softmax", [scores], { axis: { int: 1 } }) : graph.node("Sigmoid", [scores]);
}

function checkedFor({ name, input }: Network, { preprocessing }: OnnxOptions): Preprocessing {
  const [channels, height, width] = input;
  if (preprocessing?.channels === channels && preprocessing.size[0] === height && preprocessing.size[1] === width) {
    return preprocessing;
  }
  const got = preprocessing ? `${preprocessing.channels}×${preprocessing.size.join("×")}` : "none";
  throw new ConfigError(`${name}: expected a preprocessing to ${input.join("×")} for pixel input, got ${got}`);
}

/** Layout of input pixels: interleaved channels, as in image files, or planes. */
type PixelLayout = "nhwc" | "nchw";

/** Shape of one image in that layout. */
function pixelShape([channels, height, width]: readonly [number, number, number], layout: PixelLayout): Shape {
  return layout === "nhwc" ? [height, width, channels] : [channels, height, width];
}

/**
 * value = (level − 255 · mean − mean image) · 1 / (255 · deviation), for the pixels that the fit keeps at evaluation.
 *
 * Throws ConfigError if the fit leaves a border, whose values no 8-bit pixel has.
 */
function writePreprocessing(
  preprocessing: Preprocessing,
  layout: PixelLayout,
  pixels: string,
  graph: OnnxGraphBuilder,
): string {
  const { channels, mean, deviation, fit } = preprocessing;
  if (leavesBorder(fit)) {
    throw new ConfigError(
      `preprocessing: the fit "${fit.kind}" leaves a border in the mean colour, which 8-bit pixels cannot represent; export without preprocessing`,
    );
  }
  graph.enter("preprocessing");
  const levels = graph.node("Cast", [pixels], { to: { int: 1 } });
  const planes = layout === "nhwc" ? graph.node("Transpose", [levels], { perm: { ints: [0, 3, 1, 2] } }) : levels;
  const shape = preprocessing.meanImage === undefined ? [channels, 1, 1] : [channels, ...preprocessing.size];
  const centred = graph.node("Sub", [planes, graph.constant("mean", shape, () => meanLevels(preprocessing))]);
  const scales = () => Float32Array.from(mean, (_, c) => 1 / (255 * (deviation[c] as number)));
  return graph.node("Mul", [centred, graph.constant("scale", [channels, 1, 1], scales)]);
}

/** The subtrahend of each level: one number per channel, or one per pixel. */
function meanLevels(preprocessing: Preprocessing): Float32Array {
  const { mean, meanImage, fit } = preprocessing;
  const colours = mean.map((m) => 255 * m);
  if (meanImage === undefined) return Float32Array.from(colours);
  const [height, width] = preprocessing.size;
  const frame = frameSizeOf(fit, { height, width });
  const levels = decodeBase64(meanImage);
  if (!frame || levels.length !== colours.length * frame.height * frame.width) {
    throw new ConfigError("preprocessing: the mean image and the fit's output differ in size");
  }
  return Float32Array.from(colours.flatMap((colour, c) => centrePlane(levels, c, colour, frame, preprocessing)));
}

function centrePlane(
  levels: Uint8Array,
  channel: number,
  added: number,
  frame: PixelSize,
  { fit, size }: Preprocessing,
) {
  const [height, width] = size;
  const { window } = placementOf(fit, { height, width }, frame);
  const values: number[] = [];
  for (let y = 0; y < window.height; y++) {
    const row = (channel * frame.height + window.top + y) * frame.width + window.left;
    for (let x = 0; x < window.width; x++) values.push(added + (levels[row + x] as number));
  }
  return values;
}

/** Names of a quantization's constants. */
type Scale = readonly [scale: string, zeroPoint: string];

/** Writes every layer of a network, from `input` on; returns the last value, in f32. Pooling and flattening operate on 8 bits. */
function writeQuantizedLayers(
  network: Network,
  input: string,
  graph: OnnxGraphBuilder,
  quantization: Quantization,
): string {
  const kinds = int8Layers(network);
  graph.enter("images");
  let [value, scale] = rounded(IMAGES, input, graph, quantization);
  for (const [i, op] of operations(network).entries()) {
    graph.enter(op.name);
    if (kinds[i] !== "kept" && scale) {
      value = graph.node("DequantizeLinear", [value, ...scale], {}, "input");
      scale = undefined;
    }
    const output = writeLayer(withParameters(op, graph, quantization) as Op, value, graph);
    [value, scale] = scale ? [output, scale] : rounded(op.name, output, graph, quantization);
  }
  return value;
}

/** Quantizes a value, unless it stays f32. */
function rounded(
  name: string,
  value: string,
  graph: OnnxGraphBuilder,
  { activations }: Quantization,
): [value: string, scale: Scale | undefined] {
  const rounding = activations.get(name);
  if (!rounding) return [value, undefined];
  const scale = graph.constant("scale", [], () => Float32Array.of(rounding.scale));
  const zeroPoint = graph.constant("zeroPoint", [], () => Uint8Array.of(rounding.zeroPoint));
  return [graph.node("QuantizeLinear", [value, scale, zeroPoint], {}, "rounded"), [scale, zeroPoint]];
}

/** The operation with dequantized parameters. */
function withParameters(op: AnyOp, graph: OnnxGraphBuilder, { parameters }: Quantization): AnyOp {
  const names = op.parameters.map(({ name, shape }) => {
    const parameter = parameters.get(name);
    return { name: parameter ? dequantized(name, parameter, graph) : name, shape };
  });
  return { ...op, parameters: names };
}

function dequantized(name: string, { type, scales }: RoundedParameter, graph: OnnxGraphBuilder): string {
  const role = name.slice(name.lastIndexOf(".") + 1);
  const rows = scales.length;
  const scale = graph.constant(`${role}.scale`, [rows], () => scales);
  const zeros = () => (type === "INT8" ? new Int8Array(rows) : new Int32Array(rows));
  const zeroPoint = graph.constant(`${role}.zeroPoint`, [rows], zeros);
  return graph.node("DequantizeLinear", [name, scale, zeroPoint], { axis: { int: 0 } }, `${role}.f32`);
}
