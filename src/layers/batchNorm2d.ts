/** Batch normalization. */
import * as z from "zod/mini";
import { fraction, positive } from "../schema.ts";
import { featureMap } from "../shape.ts";
import {
  type LayerKind,
  neverRandom,
  notInInt8,
  outputsFollowInput,
  type ParameterDeclaration,
  reachesSamePlace,
  sameOptions,
} from "./layer.ts";

/**
 * output = (x − mean[c]) / √(variance[c] + eps) · weight[c] + bias[c].
 *
 * In training, mean and variance are those of the batch over images and positions; the variance is divided by the number n of values. The running
 * statistics become (1 − momentum) · running + momentum · batch, with the variance divided by n − 1. At evaluation, and in a frozen layer, mean and
 * variance are the running statistics.
 *
 * Shapes: [N, C, H, W], unchanged; weight, bias, running_mean and running_var [C]. Throws ShapeError if the input is flat.
 * Source: Ioffe and Szegedy 2015, “Batch normalization”, algorithm 1; PyTorch's `nn.BatchNorm2d`.
 */
export const batchNorm2dKind: LayerKind<"batchNorm2d"> = {
  kind: "batchNorm2d",
  options: z.strictObject({
    eps: z._default(positive, 1e-5),
    momentum: z._default(fraction, 0.1),
    affine: z._default(z.boolean(), true),
  }),
  order: "other",
  outputShape(name, _options, input) {
    featureMap(name, input);
    return input;
  },
  parameters(name, { affine }, input) {
    const [channels] = featureMap(name, input);
    const vector = { shape: [channels], fanIn: 1, fanOut: 1 };
    const weights: readonly ParameterDeclaration[] = [
      { name: "weight", ...vector, initial: 1 },
      { name: "bias", ...vector, initial: 0 },
    ];
    return [
      ...(affine ? weights : []),
      { name: "running_mean", ...vector, initial: 0, isStatistic: true },
      { name: "running_var", ...vector, initial: 1, isStatistic: true },
    ];
  },
  describe: ({ affine }) => ({
    label: "batch norm",
    kernel: affine ? "(x − mean) ÷ deviation · w + b" : "(x − mean) ÷ deviation",
    sizeFormulas: [],
  }),
  reach: reachesSamePlace,
  keeps: { reads: "input", noteBytes: 0, memory: "new" },
  randomness: neverRandom,
  deterministic: sameOptions,
  // Folded before, see `scaleAndShift`.
  inInt8: notInInt8,
  scaleAndShift({ eps }, tensors) {
    const at = (name: string, c: number, missing: number) => tensors.get(name)?.[c] ?? missing;
    const variances = tensors.get("running_var") ?? [];
    const scale = Float64Array.from(variances, (variance, c) => at("weight", c, 1) / Math.sqrt(variance + eps));
    const shift = scale.map((s, c) => at("bias", c, 0) - at("running_mean", c, 0) * s);
    return { scale, shift };
  },
  withOutputs: outputsFollowInput,
  onnx({ options: { eps, affine }, inputShape: [channels = 0], parameters }, input, graph) {
    const vector = (role: string, value: number) =>
      graph.constant(role, [channels], () => new Float32Array(channels).fill(value));
    const weights = affine ? [] : [vector("weight", 1), vector("bias", 0)];
    const inputs = [input, ...weights, ...parameters.map(({ name }) => name)];
    return graph.node("BatchNormalization", inputs, { epsilon: { float: eps } });
  },
};
