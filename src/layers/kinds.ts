/** The list of kinds of layers, with a constructor for each. */
import type { OpKind, OpOptions } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { parseJson } from "../schema.ts";
import { reluKind, sigmoidKind, tanhKind } from "./activations.ts";
import { batchNorm2dKind } from "./batchNorm2d.ts";
import { conv2dKind } from "./conv2d.ts";
import { dropoutKind } from "./dropout.ts";
import type { Layer, LayerKind } from "./layer.ts";
import { flattenKind, linearKind } from "./linear.ts";
import { localConv2dKind } from "./localConv2d.ts";
import { localResponseNormKind } from "./localResponseNorm.ts";
import { adaptiveAveragePool2dKind, averagePool2dKind, maxPool2dKind } from "./pools.ts";

/** The list of layer kinds. */
export const layerKinds: { readonly [K in OpKind]: LayerKind<K> } = {
  conv2d: conv2dKind,
  localConv2d: localConv2dKind,
  relu: reluKind,
  tanh: tanhKind,
  sigmoid: sigmoidKind,
  localResponseNorm: localResponseNormKind,
  batchNorm2d: batchNorm2dKind,
  maxPool2d: maxPool2dKind,
  averagePool2d: averagePool2dKind,
  adaptiveAveragePool2d: adaptiveAveragePool2dKind,
  flatten: flattenKind,
  linear: linearKind,
  dropout: dropoutKind,
};

/**
 * Constructor of a layer of one kind, as plain data for `Network.layers`, such as `conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 })`; options left out have that kind's
 * defaults. Shapes in the descriptions are of one image.
 *
 * Throws ConfigError naming the layer and the option if one is invalid, missing or unknown.
 */
type LayerMaker<K extends OpKind> = (name: string, options?: Partial<OpOptions[K]>) => Layer<K>;

function maker<K extends OpKind>(kind: K): LayerMaker<K> {
  return (name, given = {}) => layerOf(kind, name, given);
}

/** A layer of one kind, with that kind's defaults. Throws ConfigError, beginning with `what`, naming the option. */
export function layerOf<K extends OpKind>(kind: K, name: string, given: object, what = name): Layer<K> {
  const parsed = parseJson<object>(layerKinds[kind].options, given);
  if (parsed.problem !== undefined) throw new ConfigError(`${what} (${kind}): ${parsed.problem}`);
  return { name, kind, ...parsed.data } as Layer<K>;
}

/**
 * Convolution: each output is the sum of a window times a kernel, plus a bias; channels are split into `groups`.
 *
 * Shapes: [C, H, W] → [outChannels, H′, W′] with H′ = ⌊(H + 2 · padding − kernelSize) / stride⌋ + 1, and so W′. Weight [outChannels, C / groups, kernelSize,
 * kernelSize], bias [outChannels]. Defaults: stride 1, padding 0, groups 1. Source: Krizhevsky et al. 2012, §3.5.
 */
export const conv2d: LayerMaker<"conv2d"> = maker("conv2d");
/**
 * Locally connected layer: a convolution whose kernel and bias differ at every output position, in one group.
 *
 * Shapes: [C, H, W] → [outChannels, H′, W′] as for `conv2d`. Weight [outChannels · H′ · W′, C, kernelSize, kernelSize], bias [outChannels · H′ · W′], the
 * outputs in order. Defaults: stride 1, padding 0. Source: Krizhevsky's cuda-convnet, layers of type `local`.
 */
export const localConv2d: LayerMaker<"localConv2d"> = maker("localConv2d");
/** Rectified linear unit: max(0, x). */
export const relu: LayerMaker<"relu"> = maker("relu");
/** Hyperbolic tangent. */
export const tanh: LayerMaker<"tanh"> = maker("tanh");
/** Logistic function: 1 / (1 + e⁻ˣ). */
export const sigmoid: LayerMaker<"sigmoid"> = maker("sigmoid");
/**
 * Local response normalization: x / (k + alpha / size · Σ x²)^beta, summed over `size` neighbouring channels, or over a window of each channel with
 * `region: "withinChannel"`.
 *
 * Shapes: [C, H, W], unchanged. Defaults: size 5, alpha 1e-4, beta 0.75, k 2. Source: Krizhevsky et al. 2012, §3.3.
 */
export const localResponseNorm: LayerMaker<"localResponseNorm"> = maker("localResponseNorm");
/**
 * Batch normalization: (x − mean) / √(variance + eps) · weight + bias for each channel, with the statistics of the batch in training, and their running
 * averages at evaluation and in frozen layers. `momentum` is the weight of the batch in a running average; `affine: false` leaves out weight and bias.
 *
 * Shapes: [C, H, W], unchanged. Defaults: eps 1e-5, momentum 0.1, affine true. Source: Ioffe and Szegedy 2015; PyTorch's `nn.BatchNorm2d`.
 */
export const batchNorm2d: LayerMaker<"batchNorm2d"> = maker("batchNorm2d");
/**
 * Maximum of each window; padding is never the maximum.
 *
 * Shapes: [C, H, W] → [C, H′, W′] with H′ = ⌊(H + padding + endPadding − kernelSize) / stride⌋ + 1, and so W′. Defaults: padding 0, endPadding as padding.
 * Source: Krizhevsky et al. 2012, §3.4.
 */
export const maxPool2d: LayerMaker<"maxPool2d"> = maker("maxPool2d");
/**
 * Mean of each window. `countIncludePad` counts the padding as zeros; by default it is not counted.
 *
 * Shapes and defaults: as for `maxPool2d`.
 */
export const averagePool2d: LayerMaker<"averagePool2d"> = maker("averagePool2d");
/**
 * Mean of windows that divide the input into a given number of rows and columns.
 *
 * Shapes: [C, H, W] → [C, outputSize, outputSize]. Source: torchvision's AlexNet.
 */
export const adaptiveAveragePool2d: LayerMaker<"adaptiveAveragePool2d"> = maker("adaptiveAveragePool2d");
/** One vector of all values. Shapes: [C, H, W] → [C · H · W]. */
export const flatten: LayerMaker<"flatten"> = maker("flatten");
/** Fully connected layer: Wx + b. Shapes: [I] → [outFeatures]; weight [outFeatures, I], bias [outFeatures]. */
export const linear: LayerMaker<"linear"> = maker("linear");
/**
 * Sets each value to 0 with `probability` (default 0.5) and divides the others by 1 − `probability`. `activeAtEvaluation` keeps it on after training, so
 * that predictions are random; default false.
 *
 * Shapes: unchanged. Source: Krizhevsky et al. 2012, §4.2, which halves the outputs at test time instead.
 */
export const dropout: LayerMaker<"dropout"> = maker("dropout");

/** Kinds that, at the end of another program's network, are its head, not a layer. */
export const headKinds: ReadonlyMap<OpKind, "sigmoid"> = new Map([["sigmoid", "sigmoid"]]);
