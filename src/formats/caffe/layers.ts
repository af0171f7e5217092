/** Conversion of each Caffe layer type. Source of the arithmetic: BVLC Caffe, src/caffe/layers/. */
import { CheckpointError, type UnsupportedError } from "../../errors.ts";
import { dropout, flatten, localResponseNorm, relu, sigmoid, tanh } from "../../layers/kinds.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import type { ChainBuilder } from "../chainBuilder.ts";
import { addConvolution, MAX_PADDING, type Pair } from "../fileConvolution.ts";
import { addAveragePool, addGlobalAverage, addMaxPool, squarePool } from "../pooling.ts";
import { transposed } from "../values.ts";
import { type Blob, isFilled } from "./blob.ts";
import type { LayerMessage } from "./messages.ts";

/** A layer of either version of the format. */
export type CaffeLayer = Omit<LayerMessage, "type" | "blobs"> & {
  readonly type: string;
  readonly blobs: readonly Blob[];
};

/** Context of a layer in a chain. */
export interface CaffeContext {
  readonly chain: ChainBuilder;
  /** Beginning of messages: `model.caffemodel: Convolution "conv1"`. */
  readonly what: string;
  unsupported(why: string): UnsupportedError;
}

/** Adds a layer of a file to the chain. Throws UnsupportedError with the parameter if no layer is equivalent. */
export type CaffeReader = (layer: CaffeLayer, context: CaffeContext) => void;

/** By layer type. */
export const caffeReaders: Readonly<Record<string, CaffeReader>> = {
  Convolution: readConvolution,
  InnerProduct: readInnerProduct,
  Pooling: readPooling,
  LRN: readNorm,
  ReLU(layer, context) {
    const slope = known(layer.relu, context)?.negativeSlope ?? 0;
    if (slope !== 0) throw context.unsupported(`negative_slope ${slope}`);
    context.chain.add(relu(nameOf(layer, context)) as AnyLayer);
  },
  Sigmoid: (layer, context) => context.chain.add(sigmoid(nameOf(layer, context)) as AnyLayer),
  TanH: (layer, context) => context.chain.add(tanh(nameOf(layer, context)) as AnyLayer),
  Dropout(layer, context) {
    const { ratio: probability = 0.5, scaleTrain = 1 } = known(layer.dropout, context) ?? {};
    if (scaleTrain === 0) throw context.unsupported("scale_train false");
    if (!(probability >= 0 && probability < 1)) throw context.unsupported(`dropout_ratio ${probability}`);
    context.chain.add(dropout(nameOf(layer, context), { probability }) as AnyLayer);
  },
  Flatten(layer, context) {
    const { axis = 1, endAxis = -1 } = known(layer.flatten, context) ?? {};
    if (axis !== 1 || endAxis !== -1) throw context.unsupported(`axis ${axis}, end_axis ${endAxis}`);
    flattenTo(nameOf(layer, context), context);
  },
  Softmax(layer, context) {
    const { axis = 1 } = known(layer.softmax, context) ?? {};
    if (axis !== 1) throw context.unsupported(`axis ${axis}`);
    context.chain.endIn("softmax", context.what);
  },
  SoftmaxWithLoss: (_layer, context) => context.chain.endIn("softmax", context.what),
  SigmoidCrossEntropyLoss: (_layer, context) => context.chain.endIn("sigmoid", context.what),
};

/** Returns a layer's parameters. Throws UnsupportedError for an unknown field. */
function known<P extends { readonly unknown: readonly number[] }>(
  parameters: P | undefined,
  context: CaffeContext,
): P | undefined {
  const [field] = parameters?.unknown ?? [];
  if (field === undefined) return parameters;
  throw context.unsupported(`parameter field ${field}, unknown to BVLC Caffe`);
}

function nameOf({ name }: CaffeLayer, { chain }: CaffeContext): string {
  return chain.unusedName(name || "layer");
}

function flattenTo(name: string, { chain }: CaffeContext): void {
  if (chain.shape.length > 1) chain.add(flatten(name) as AnyLayer, [sizeOf(chain.shape)]);
}

/** Values of blob `place`, which must match the shape up to axes of size 1. */
function valuesOf({ blobs }: CaffeLayer, place: number, shape: Shape, { what, unsupported }: CaffeContext) {
  const blob = blobs[place];
  if (!blob) throw new CheckpointError(`${what}: blob ${place + 1} is missing; give a file with weights`);
  if (blob.hasDoubles) throw unsupported("weights in double precision");
  const [got, expected] = [blob.shape, shape].map((extents) => extents.filter((extent) => extent !== 1).join());
  if (got === expected && isFilled(blob)) return blob.values();
  const found = `[${blob.shape.join(", ")}] of ${blob.byteLength} bytes`;
  throw new CheckpointError(`${what}: blob ${place + 1}: expected [${shape.join(", ")}], got ${found}`);
}

function positive(value: number | undefined, name: string, { what }: CaffeContext): number {
  if (value !== undefined && value >= 1 && value <= 2 ** 31) return value;
  throw new CheckpointError(`${what}: ${name} ${value ?? "is missing"}`);
}

/** A pair from one number for both axes, or one each. */
function pairOf(both: readonly number[], each: readonly (number | undefined)[], missing: number): Pair {
  const [height = missing, width = height] = both;
  return [each[0] ?? height, each[1] ?? width];
}

function readConvolution(layer: CaffeLayer, context: CaffeContext): void {
  const { chain, unsupported, what } = context;
  const parameters = known(layer.convolution, context);
  const [channels = 0] = chain.shape;
  if (!parameters || chain.shape.length !== 3)
    throw unsupported("missing parameters, or an input that is not a feature map");
  const { padH, padW, kernelH, kernelW, strideH, strideW, axis = 1, biasTerm = 1 } = parameters;
  if (axis !== 1) throw unsupported(`axis ${axis}`);
  const outChannels = positive(parameters.numOutput, "num_output", context);
  const groups = positive(parameters.group ?? 1, "group", context);
  const kernel = pairOf(parameters.kernelSize, [kernelH, kernelW], 0);
  const stride = pairOf(parameters.stride, [strideH, strideW], 1);
  const dilation = pairOf(parameters.dilation, [], 1);
  const pad = pairOf(parameters.pad, [padH, padW], 0);
  for (const size of [...kernel, ...stride, ...dilation]) positive(size, "kernel_size, stride or dilation", context);
  if (pad.some((size) => size < 0 || size > MAX_PADDING)) throw unsupported(`pad ${pad.join(", ")}`);
  if (channels % groups !== 0 || outChannels % groups !== 0)
    throw unsupported(`group ${groups} on ${channels} channels`);
  const weight = valuesOf(layer, 0, [outChannels, channels / groups, ...kernel], context);
  const bias = biasTerm ? valuesOf(layer, 1, [outChannels], context) : undefined;
  const window = { kernel, stride, dilation, padBefore: pad, padAfter: pad };
  addConvolution(chain, nameOf(layer, context), { ...window, outChannels, groups }, weight, bias, what);
}

function readInnerProduct(layer: CaffeLayer, context: CaffeContext): void {
  const { chain, unsupported, what } = context;
  const parameters = known(layer.linear, context);
  if (!parameters) throw unsupported("missing parameters");
  const { axis = 1, biasTerm = 1, transpose = 0 } = parameters;
  if (axis !== 1) throw unsupported(`axis ${axis}`);
  const outFeatures = positive(parameters.numOutput, "num_output", context);
  const inFeatures = sizeOf(chain.shape);
  const stored = valuesOf(layer, 0, transpose ? [inFeatures, outFeatures] : [outFeatures, inFeatures], context);
  const bias = biasTerm ? valuesOf(layer, 1, [outFeatures], context) : undefined;
  const name = nameOf(layer, context);
  flattenTo(chain.unusedName("flatten"), context);
  chain.addLinear(name, transpose ? transposed(stored, inFeatures, outFeatures) : stored, inFeatures, bias, what);
}

function readPooling(layer: CaffeLayer, context: CaffeContext): void {
  const { chain, unsupported } = context;
  const parameters = known(layer.pooling, context);
  if (!parameters || chain.shape.length !== 3)
    throw unsupported("missing parameters, or an input that is not a feature map");
  const { pool = 0, kernelSize, stride, pad, globalPooling = 0, roundMode = 0 } = parameters;
  if (pool !== 0 && pool !== 1) throw unsupported(`pool ${pool}, expected MAX or AVE`);
  const name = nameOf(layer, context);
  if (globalPooling) {
    if (pool === 0) throw unsupported("global_pooling of MAX");
    addGlobalAverage(chain, name);
    return;
  }
  const both = (size: number | undefined) => (size === undefined ? [] : [size]);
  const kernel = pairOf(both(kernelSize), [parameters.kernelH, parameters.kernelW], 0);
  const strides = pairOf(both(stride), [parameters.strideH, parameters.strideW], 1);
  const padBefore = pairOf(both(pad), [parameters.padH, parameters.padW], 0);
  for (const size of [...kernel, ...strides]) positive(size, "kernel_size or stride", context);
  if (padBefore.some((size) => size < 0 || size > MAX_PADDING)) throw unsupported(`pad ${padBefore.join(", ")}`);
  // Caffe rounds up by default.
  const window = { kernel, stride: strides, dilation: [1, 1] as const, padBefore, padAfter: padBefore };
  const square = squarePool({ ...window, isCeil: roundMode === 0 }, chain.shape, unsupported);
  if (pool === 0) addMaxPool(chain, name, square);
  else addAveragePool(chain, name, square, padBefore[0] > 0, unsupported);
}

function readNorm(layer: CaffeLayer, context: CaffeContext): void {
  const { localSize: size = 5, alpha = 1, beta = 0.75, region = 0, k = 1 } = known(layer.norm, context) ?? {};
  if (region !== 0 && region !== 1) throw context.unsupported(`norm_region ${region}`);
  if (size < 1 || size % 2 === 0) throw context.unsupported(`local_size ${size}, expected an odd number`);
  if (![alpha, beta, k].every((value) => value > 0 && value < Infinity))
    throw context.unsupported(`alpha ${alpha}, beta ${beta}, k ${k}`);
  if (context.chain.shape.length !== 3) throw context.unsupported("an input that is not a feature map");
  // Within a channel, Caffe's k is 1 whatever the file states. Source: src/caffe/layers/lrn_layer.cpp, power_layer_.
  const options =
    region === 1 ? { size, alpha, beta, k: 1, region: "withinChannel" as const } : { size, alpha, beta, k };
  context.chain.add(localResponseNorm(nameOf(layer, context), options) as AnyLayer);
}
