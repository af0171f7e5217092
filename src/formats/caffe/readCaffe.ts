/** Reads Caffe's .caffemodel files whose network is a chain of supported layers. */
import { AlexNetError, CheckpointError, ConfigError, UnsupportedError } from "../../errors.ts";
import { nonFiniteProblem } from "../../finite.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { type Network, place } from "../../network/network.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { ChainBuilder } from "../chainBuilder.ts";
import { readMessage } from "../containers/protobuf.ts";
import { readWholeFile } from "../containers/wholeFile.ts";
import { type ImportedModel, importedModel } from "../importedModel.ts";
import { blobOf, isFilled } from "./blob.ts";
import { type CaffeContext, type CaffeLayer, caffeReaders } from "./layers.ts";
import { blobTable, type CaffeNet, netTable, v1Types } from "./messages.ts";

/** Facts that the file may not contain. */
export interface CaffeOptions {
  /** Shape of one image. Default: the file's input shape or crop size; snapshots of `caffe train` may have neither. */
  readonly input?: Network["input"] | undefined;
  /** Height and width of an image in pixels, for a file without an input shape or a crop size. */
  readonly inputSize?: number | undefined;
  /** Channel order the network was trained on. Default bgr, which Caffe's own programs use. */
  readonly colours?: "bgr" | "rgb" | undefined;
  /** Mean of each channel, red first, on the scale of 0 to 1. Default: the file's, else ImageNet's. */
  readonly mean?: readonly number[] | undefined;
}

/** Mean colour of ImageNet's training images, red first. Source: BVLC Caffe, examples/00-classification.ipynb. */
const IMAGENET_MEAN = [122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255];
/** Layers that provide images, and layers that only measure. */
const sources = new Set(["Data", "Input", "ImageData", "MemoryData", "WindowData", "HDF5Data", "DummyData"]);
/** Layers with labels as a second input. */
const losses = new Set(["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"]);
const measures = new Set(["Accuracy", "Silence"]);
const [TRAIN, TEST] = [0, 1];

/**
 * Reads a .caffemodel file. The first convolution's weights are reordered to red, green, blue.
 *
 * Throws CheckpointError if the file is missing, unreadable or above 2 GiB, UnsupportedError naming layer and parameter for an unsupported feature,
 * ConfigError for a mean that is not on the scale of 0 to 1.
 */
export async function readCaffeFile(path: string, options?: CaffeOptions): Promise<ImportedModel> {
  return readCaffe(await readWholeFile(path), path, options);
}

/**
 * Reads a .caffemodel. The first convolution's weights are reordered to red, green, blue. The preprocessing is that of Caffe's programs:
 * levels from 0 to 255 minus the mean.
 *
 * Throws CheckpointError if the file is damaged, UnsupportedError with layer and parameter for an unsupported feature, and ConfigError for
 * a mean that is not on the scale of 0 to 1.
 */
export function readCaffe(bytes: Uint8Array, origin: string, options: CaffeOptions = {}): ImportedModel {
  const net = readMessage(netTable, bytes, origin);
  const layers = evaluationLayers(layersOf(net, origin), origin);
  if (layers.length === 0) throw new CheckpointError(`${origin}: not a .caffemodel (expected layers, got none)`);
  const { shape, assumption } = imageShape(net, layers, options, origin);
  const chain = new ChainBuilder(shape, origin);
  walk(net, layers, chain, origin);
  const finished = chain.finish(net.name || "caffe", "Caffe model");
  const { network, tensors } = finished;
  const isBgr = network.input[0] === 3 && options.colours !== "rgb";
  const { preprocessing, ...assumed } = preprocessingOf(network, layers, isBgr, options.mean, origin);
  const assumptions = {
    ...finished.assumptions,
    ...(assumption && { inputSize: assumption }),
    ...(assumed.assumption && { mean: assumed.assumption }),
  };
  const turned = isBgr ? withRgb(network, tensors, origin) : tensors;
  return importedModel(
    { ...finished, tensors: turned },
    { producer: "Caffe", ...(preprocessing && { preprocessing }), assumptions },
  );
}

/** Mean of each channel of a mean file (.binaryproto), red first, on the scale of 0 to 1. Throws CheckpointError for any other file. */
export function readCaffeMean(bytes: Uint8Array, origin: string): readonly number[] {
  const blob = blobOf(readMessage(blobTable, bytes, origin));
  const { shape, byteLength } = blob;
  const [channels = 0] = shape.slice(-3);
  if (byteLength === 0 || !isFilled(blob) || channels < 1) {
    throw new CheckpointError(`${origin}: not a Caffe mean file: [${shape.join(", ")}] of ${byteLength} bytes`);
  }
  const values = blob.values();
  const problem = nonFiniteProblem(values);
  if (problem !== undefined) throw new CheckpointError(`${origin}: mean image: ${problem}`);
  const plane = values.length / channels;
  const means = Array.from({ length: channels }, (_, c) => {
    return values.subarray(c * plane, (c + 1) * plane).reduce((sum, value) => sum + value, 0) / plane / 255;
  });
  return channels === 3 ? means.reverse() : means;
}

function layersOf({ layers, layersV1 }: CaffeNet, origin: string): readonly CaffeLayer[] {
  if (layers.length > 0 && layersV1.length > 0)
    throw new UnsupportedError(`${origin}: expected layers of one format version, got both`);
  const newer = layers.map(({ blobs, type = "", ...layer }) => ({ ...layer, type, blobs: blobs.map(blobOf) }));
  const older = layersV1.map(({ older, blobs, type = 0, ...layer }) => {
    if (older)
      throw new UnsupportedError(
        `${origin}: layers in the format before 2013; convert it with upgrade_net_proto_binary`,
      );
    const known = v1Types[type] ?? `type ${type}`;
    return { ...layer, type: known, blobs: blobs.map(blobOf), flatten: undefined, input: undefined };
  });
  return [...newer, ...older];
}

/**
 * The layers of phase TEST. A snapshot of `caffe train` contains the net of phase TRAIN alone: its data layer, whose rule names TRAIN, then
 * states the image's size and levels.
 */
function evaluationLayers(all: readonly CaffeLayer[], origin: string): readonly CaffeLayer[] {
  const tested = all.filter((layer) => isInTest(layer, origin));
  if (tested.some(isSource)) return tested;
  const kept = new Set([...tested, ...all.filter(isSource).slice(0, 1)]);
  return all.filter((layer) => kept.has(layer));
}

function isSource({ type }: CaffeLayer): boolean {
  return sources.has(type);
}

function isInTest({ name, include, exclude }: CaffeLayer, origin: string): boolean {
  const rules = [...include, ...exclude];
  if (rules.some(({ unknown }) => unknown.length > 0)) {
    throw new UnsupportedError(`${origin}: "${name}": rules of levels or stages`);
  }
  const excluded = exclude.some(({ phase = TEST }) => phase === TEST);
  return !excluded && (include.length === 0 || include.some(({ phase }) => phase !== TRAIN));
}

interface ImageShape {
  readonly shape: Shape;
  readonly assumption?: string;
}

/** Input shape: the given one, else that of the net, of its input layer, or of the crop of its data layer. */
function imageShape(net: CaffeNet, layers: readonly CaffeLayer[], options: CaffeOptions, origin: string): ImageShape {
  const source = layers.find(isSource);
  const dims = net.inputShape[0]?.dim ?? source?.input?.shape[0]?.dim ?? net.inputDim.slice(0, 4);
  const stated = dims.slice(1);
  const side = source?.transform?.cropSize || options.inputSize;
  const given = options.input ?? (stated.length > 0 ? stated : side && [channelsAt(layers, side), side, side]);
  if (!given) return sizeFromLayers(net, layers, origin);
  if (given.every((extent) => extent >= 1 && extent <= 2 ** 31)) return { shape: given };
  throw new CheckpointError(`${origin}: input [${given.join(", ")}]`);
}

/** Channels of an image of `side`×`side` pixels, from the weights of the first layer that has any. */
function channelsAt(layers: readonly CaffeLayer[], side: number): number {
  const first = layers.find(({ type }) => type === "Convolution" || type === "InnerProduct");
  const [weight] = first?.blobs ?? [];
  if (!first || !weight) return 3;
  const { shape } = weight;
  if (first.type === "Convolution") return (shape.at(1) ?? 3) * (first.convolution?.group ?? 1);
  const inputs = shape.at(first.linear?.transpose ? -2 : -1) ?? 0;
  return Math.max(1, Math.round(inputs / side ** 2));
}

/** Largest side that is tried for a file without a size. */
const MAX_TRIED_SIDE = 512;

/** The only side that the weights of the layers fit. Throws UnsupportedError with the sides, if there are several or none. */
function sizeFromLayers(net: CaffeNet, layers: readonly CaffeLayer[], origin: string): ImageShape {
  const fits = Array.from({ length: MAX_TRIED_SIDE }, (_, i) => i + 1).filter((side) => {
    try {
      walk(net, layers, new ChainBuilder([channelsAt(layers, side), side, side], origin), origin);
      return true;
    } catch (error) {
      if (error instanceof AlexNetError) return false;
      throw error;
    }
  });
  const [side] = fits;
  if (side !== undefined && fits.length === 1) {
    const shape = [channelsAt(layers, side), side, side];
    return { shape, assumption: `input: ${shape.join("×")}, the only square that the layers fit` };
  }
  const range = side === undefined ? "" : ` (its layers fit ${side} to ${fits.at(-1)} pixels)`;
  throw new UnsupportedError(
    `${origin}: the file does not state the input size${range}; give it with --input-size, or the option inputSize`,
  );
}

/** Adds the layers in order. Each must consume the output of the one before, under a new name or the same. */
function walk(net: CaffeNet, layers: readonly CaffeLayer[], chain: ChainBuilder, origin: string): void {
  let tips = new Set(net.input.slice(0, 1));
  for (const layer of layers) {
    const { name = "", type, top, bottom } = layer;
    const what = `${origin}: ${type} "${name}"`;
    if (sources.has(type)) {
      tips = new Set(top.slice(0, 1));
      continue;
    }
    if (measures.has(type)) continue;
    if (!tips.has(bottom[0] ?? "")) {
      throw new UnsupportedError(`${what}: not supported: a net with branches (input "${bottom[0] ?? ""}")`);
    }
    if (type === "Split") {
      tips = new Set([...tips, ...top]);
      continue;
    }
    const read = Object.hasOwn(caffeReaders, type) ? caffeReaders[type] : undefined;
    if (!read) {
      const known = Object.keys(caffeReaders).join(", ");
      throw new UnsupportedError(`${what}: unsupported layer type ${type}; expected one of ${known}`);
    }
    const unsupported = (why: string) => new UnsupportedError(`${what}: not supported: ${why}`);
    if (bottom.length > 1 && !losses.has(type)) throw unsupported(`${bottom.length} inputs`);
    const context: CaffeContext = { chain, what, unsupported };
    read(layer, context);
    tips = new Set(top);
  }
}

/** The weights with the first layer's input channels reversed. */
function withRgb(network: Network, tensors: ReadonlyMap<string, Float32Array>, origin: string) {
  const [first] = place(network);
  const weight = first && tensors.get(`${first.layer.name}.weight`);
  const [, channels, ...window] = first?.parameters[0]?.shape ?? [];
  if (!first || !weight || channels !== network.input[0] || window.length !== 2) {
    throw new UnsupportedError(
      `${origin}: cannot convert blue-green-red input: the first layer is not a convolution over all channels`,
    );
  }
  const plane = sizeOf(window);
  const turned = new Float32Array(weight.length);
  for (let i = 0; i < weight.length / plane; i++) {
    const to = i - (i % 3) + 2 - (i % 3);
    turned.set(weight.subarray(i * plane, (i + 1) * plane), to * plane);
  }
  return new Map([...tensors, [`${first.layer.name}.weight`, turned]]);
}

/** Converts Caffe's means, which are on the scale of 0 to 255 with blue first. */
function checkMean(mean: readonly number[], channels: number, origin: string): void {
  const isCount = mean.length === 1 || mean.length === channels;
  if (isCount && mean.every((value) => value >= 0 && value <= 1)) return;
  throw new ConfigError(
    `${origin}: mean: expected ${channels === 1 ? "1 number" : `1 or ${channels} numbers, red first,`} on the scale of 0 to 1, got ${mean.join(", ")}; divide levels by 255`,
  );
}

interface CaffePreprocessing {
  /** Undefined if the input is not an image. */
  readonly preprocessing?: Preprocessing;
  readonly assumption?: string;
}

/** Preprocessing of Caffe's programs. */
function preprocessingOf(
  { input: [channels, height, width] }: Network,
  layers: readonly CaffeLayer[],
  isBgr: boolean,
  given: readonly number[] | undefined,
  origin: string,
): CaffePreprocessing {
  if (channels !== 1 && channels !== 3) return {};
  const transform = layers.find(isSource)?.transform;
  const scale = transform?.scale ?? 1;
  if (!(scale > 0 && scale < Infinity)) throw new UnsupportedError(`${origin}: pixels scaled by ${scale}`);
  const stated = transform?.meanValue.map((value) => value / 255) ?? [];
  const problem = nonFiniteProblem(stated);
  if (problem !== undefined) throw new CheckpointError(`${origin}: mean_value: ${problem}`);
  const inOrder = isBgr ? stated.toReversed() : stated;
  if (given) checkMean(given, channels, origin);
  // A data layer without a mean, such as LeNet's, subtracts none; a net for deployment states nothing.
  const usual = channels === 3 && (!transform || transform.meanFile !== undefined) ? IMAGENET_MEAN : [0];
  const mean = given ?? (inOrder.length > 0 ? inOrder : usual);
  const each = Array.from({ length: channels }, (_, c) => mean[c % mean.length] as number);
  const preprocessing: Preprocessing = {
    size: [height, width],
    channels,
    fit: height === width && width >= 224 ? { kind: "crop", shorterSide: 256 } : { kind: "resize" },
    resize: "bilinear",
    mean: each,
    deviation: each.map(() => 1 / (255 * scale)),
  };
  if (given || inOrder.length > 0 || transform?.meanFile === undefined) return { preprocessing };
  const shown = each.map((value) => value.toFixed(3)).join(",");
  const assumption = `mean ${shown}: the training data's is in "${transform.meanFile}", not in the file`;
  return { preprocessing, assumption };
}
