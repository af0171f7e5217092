/** Builders of the WebGPU engine by kind of operation, including the short ones. */
import type { Op, OpKind } from "../../engine.ts";
import { dropoutMask, transposed } from "../kernels/elements.ts";
import { normBackward, normForward, normTerms, power } from "../kernels/norm.ts";
import { place } from "../kernels/pools.ts";
import { activationBuilders } from "./activations.ts";
import { buildBatchNorm2d } from "./batchNorm2d.ts";
import {
  addElements,
  addGradient,
  type BuildContext,
  type Builder,
  type Built,
  type FeatureMap,
  mapOf,
  passThrough,
  read,
  type Site,
  sizeOfMap,
  write,
} from "./op.ts";
import { poolBuilders } from "./pools.ts";
import { weightedBuilders } from "./weighted.ts";

/** Copies a map into the plain order of axes, so that a linear layer's weights are in theirs. */
const buildFlatten: Builder<"flatten"> = (context, _op, input) => {
  const { channels, height, width } = input;
  const size = sizeOfMap(input);
  // The orders are the same.
  if (channels === 1 || height * width === 1) return passThrough({ ...input, channels: size, height: 1, width: 1 });
  const output = mapOf(context, { channels: size, height: 1, width: 1 });
  addElements(context, "copy", [read("xs", input.buffer), write("ys", output.buffer)], {
    each: size,
    body: `ys[i] = ${transposed("xs", height * width, channels)};`,
  });
  return {
    output,
    covers: 1,
    backward: (gradient) =>
      addGradient(context, "copy", input, [read("dy", gradient.buffer)], {
        body: `let sum = ${transposed("dy", channels, height * width)};`,
      }),
  };
};

const buildLocalResponseNorm: Builder<"localResponseNorm"> = (context, op, input, site) => {
  const { size, alpha, beta, k, region, groups = 1 } = op.options;
  const isWithinChannel = region !== undefined;
  const { channels, height, width } = input;
  const strength = alpha / (isWithinChannel ? size * size : size);
  const norm = { channels, height, width, size, strength, beta, k, isWithinChannel, group: channels / groups };
  const output = mapOf(context, input);
  const keepsScale = context.training && site.needsInputGradient;
  const scales = context.plan.buffer(keepsScale ? output.buffer.bytes : 0);
  const each = sizeOfMap(input);
  const helpers = power(norm);
  const kept = keepsScale ? [write("scales", scales)] : [];
  const work = "normalization";
  addElements(context, work, [read("xs", input.buffer), write("ys", output.buffer), ...kept], {
    each,
    helpers,
    body: normForward(norm, keepsScale),
  });
  return {
    output,
    covers: 1,
    backward(gradient) {
      const terms = mapOf(context, input);
      const common = [read("xs", input.buffer), read("dy", gradient.buffer), read("scales", scales)];
      addElements(context, work, [...common, write("terms", terms.buffer)], { each, helpers, body: normTerms });
      const operands = [...common, read("terms", terms.buffer)];
      return addGradient(context, work, input, operands, { helpers, body: normBackward(norm) });
    },
  };
};

const buildDropout: Builder<"dropout"> = (context, op, input) => {
  const { probability, activeAtEvaluation } = op.options;
  if (probability === 0 || (!context.training && !activeAtEvaluation)) return passThrough(input);
  const { channels, height, width } = input;
  const output = mapOf(context, input);
  const helpers = dropoutMask(op.name, probability);
  const factor = `${place(height, width, channels)}
  let factor = kept(image, (c * ${height} + u32(y)) * ${width} + u32(x));`;
  const value = activeAtEvaluation ? "xs[i] * factor" : "select(xs[i], xs[i] * factor, step.training == 1)";
  addElements(context, "dropout", [read("xs", input.buffer), write("ys", output.buffer)], {
    each: sizeOfMap(input),
    helpers,
    body: `${factor}\n  ys[i] = ${value};`,
  });
  return {
    output,
    covers: 1,
    backward: (gradient) =>
      addGradient(context, "dropout", input, [read("dy", gradient.buffer)], {
        helpers,
        body: `${factor}\n  let sum = dy[i] * factor;`,
      }),
  };
};

/** Builders by kind. */
const builders: { readonly [K in OpKind]: Builder<K> } = {
  ...activationBuilders,
  ...poolBuilders,
  ...weightedBuilders,
  batchNorm2d: buildBatchNorm2d,
  flatten: buildFlatten,
  localResponseNorm: buildLocalResponseNorm,
  dropout: buildDropout,
};

/** Adds an operation. */
export function build<K extends OpKind>(context: BuildContext, op: Op<K>, input: FeatureMap, site: Site): Built {
  const builder: Builder<K> = builders[op.kind];
  return builder(context, op, input, site);
}
