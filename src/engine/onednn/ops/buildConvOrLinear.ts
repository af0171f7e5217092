/** Forward and backward steps of a convolution or linear layer. */
import type { WeightedOp } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activations.ts";
import { forwardOf, orDirect, type Weighted } from "./convOrLinear.ts";
import { fastest } from "./fastest.ts";
import type { BuildContext, Built } from "./op.ts";
import { addWeightGradient, weightGradientOf } from "./weightGradient.ts";

/**
 * The forward primitive chooses the layouts of activations, and backward uses the same ones. In training the weights are stored in f32 in the layout of
 * their gradient; a reorder converts them if a kernel needs another layout or format.
 */
export function buildWeighted(context: BuildContext, weighted: Weighted): Built {
  const { plan, training, format } = context;
  const { op, next, window, weightDims, outputDims, part } = weighted;
  const { session } = plan;
  const work = window ? "convolution" : "linear";
  const activation = fusable(next);
  const biasDims = outputDims.slice(1, 2);
  const biasDesc = session.plain(biasDims, "f32");
  const anyWeights = session.any(weightDims, format);
  const forward = forwardOf(context, weighted);
  const input = plan.inLayout(weighted.input, plan.layout(forward, "src"));
  const output = plan.value(outputDims, plan.layout(forward, "dst"));
  const weightGradient = training ? weightGradientOf(context, weighted, forward) : undefined;
  const weightsLayout = plan.layout(forward, "weights");
  const stored = weightGradient ? plan.layout(weightGradient.primitiveDesc, "diffWeights") : weightsLayout;
  const weight = context.parameter(op.name, "weight", weightDims, stored, part);
  const bias = context.parameter(op.name, "bias", biasDims, biasDesc, part);
  const multiplied = plan.inLayout(weight.value, weightsLayout);
  plan.add(work, forward, [
    ["src", input],
    ["weights", multiplied],
    ["bias", bias.value],
    ["dst", output],
  ]);

  function addInputGradient(gradient: Value): Value {
    plan.enter(op.name, "backwardData");
    const lying = { src: input.desc, dst: gradient.desc };
    const free = { src: session.any(input.dims, format), dst: session.any(outputDims, format) };
    const { primitiveDesc } = fastest(plan, inputGradients(window ? [lying, free] : [lying]));
    const inputGradient = plan.value(input.dims, plan.layout(primitiveDesc, "diffSrc"));
    const layout = plan.layout(primitiveDesc, "weights");
    plan.add(work, primitiveDesc, [
      ["diffDst", plan.inLayout(gradient, plan.layout(primitiveDesc, "diffDst"))],
      ["weights", session.same(layout, multiplied.desc) ? multiplied : plan.inLayout(weight.value, layout)],
      ["diffSrc", inputGradient],
    ]);
    return plan.inLayout(inputGradient, input.desc);
  }
  function* inputGradients(layouts: Iterable<Pick<WeightedOp, "src" | "dst">>) {
    for (const layout of layouts) {
      const descs = { ...layout, weights: anyWeights, bias: biasDesc };
      yield { primitiveDesc: orDirect(window, (allowed) => session.weightedBackwardData(descs, allowed, forward)) };
    }
  }

  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needsInputGradient) {
      if (!weightGradient) throw new Error(`${op.name}: backward of an inference program`);
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, next ? output.desc : weightGradient.layouts.dst);
      if (weight.gradient && bias.gradient) {
        const gradients = { weight: weight.gradient, bias: bias.gradient };
        plan.enter(op.name, "backwardWeights");
        addWeightGradient(plan, work, weightGradient, { input, gradient, ...gradients });
      }
      return needsInputGradient ? addInputGradient(gradient) : undefined;
    },
  };
}
