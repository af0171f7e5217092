/** The list of kinds of the oneDNN engine. */
import type { OpKind } from "../../engine.ts";
import { buildRelu, buildSigmoid, buildTanh } from "./activation.ts";
import { buildAdaptiveAveragePool2d } from "./adaptiveAveragePool2d.ts";
import { buildAveragePool2d } from "./averagePool2d.ts";
import { buildConv2d } from "./conv2d.ts";
import { buildDropout } from "./dropout.ts";
import { buildFlatten } from "./flatten.ts";
import { buildLinear } from "./linear.ts";
import { buildLocalResponseNorm } from "./localResponseNorm.ts";
import { buildMaxPool2d } from "./maxPool2d.ts";
import type { Builder } from "./op.ts";

/** How each kind of operation is built from primitives: leaving one out does not compile. */
export const builders: { readonly [K in OpKind]: Builder<K> } = {
  conv2d: buildConv2d,
  relu: buildRelu,
  tanh: buildTanh,
  sigmoid: buildSigmoid,
  localResponseNorm: buildLocalResponseNorm,
  maxPool2d: buildMaxPool2d,
  averagePool2d: buildAveragePool2d,
  adaptiveAveragePool2d: buildAdaptiveAveragePool2d,
  flatten: buildFlatten,
  linear: buildLinear,
  dropout: buildDropout,
};
