import type { Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activation.ts";
import type { BuildContext, Built } from "./op.ts";
import { forwardOf, orDirect, type Weighted } from "./weighted.ts";
import { type WeightGradient, weightGradientOf } from "./weightGradient.ts";

/**
 * Forward chooses the layouts of activations, backward takes the same. In training the weights live in the f32 layout that their gradient is
 * made in; where another layout or format is multiplied, a reorder stands between.
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
  const stored = weightGradient ? plan.layout(weightGradient.backward, "diffWeights") : weightsLayout;
  const weight = context.parameter(`${op.name}.weight`, weightDims, stored, part);
  const bias = context.parameter(`${op.name}.bias`, biasDims, biasDesc, part);
  const multiplied = plan.inLayout(weight.value, weightsLayout);
  plan.add(work, forward, [
    ["src", input],
    ["weights", multiplied],
    ["bias", bias.value],
    ["dst", output],
  ]);

  function addWeightGradient({ backward, layouts, parts }: WeightGradient, gradient: Value): void {
    if (!weight.gradient || !bias.gradient) throw new Error(`${op.name}: no gradient`);
    plan.enter(op.name, "backwardWeights");
    const src = plan.inLayout(input, layouts.src);
    const diffDst = plan.inLayout(gradient, layouts.dst);
    for (let part = 0; part < parts; part++) {
      const [diffWeights, diffBias] = [weight.gradient, bias.gradient].map((whole) =>
        part === 0 ? whole : plan.value(whole.dims, whole.desc),
      ) as [Value, Value];
      plan.add(work, backward, [
        ["src", plan.batchPart(src, part, parts)],
        ["diffDst", plan.batchPart(diffDst, part, parts)],
        ["diffWeights", diffWeights],
        ["diffBias", diffBias],
      ]);
      if (part > 0) plan.accumulate(weight.gradient, diffWeights);
      if (part > 0) plan.accumulate(bias.gradient, diffBias);
    }
  }
  function addInputGradient(gradient: Value): Value {
    plan.enter(op.name, "backwardData");
    const descs = { src: input.desc, weights: anyWeights, bias: biasDesc, dst: gradient.desc };
    const backward = orDirect(window, (allowed) => session.weightedBackwardData(descs, allowed, forward));
    const inputGradient = plan.value(input.dims, input.desc);
    const layout = plan.layout(backward, "weights");
    plan.add(work, backward, [
      ["diffDst", gradient],
      ["weights", session.same(layout, multiplied.desc) ? multiplied : plan.inLayout(weight.value, layout)],
      ["diffSrc", inputGradient],
    ]);
    return inputGradient;
  }

  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needsInputGradient) {
      if (!weightGradient) throw new Error(`${op.name}: backward of an inference program`);
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, next ? output.desc : weightGradient.layouts.dst);
      addWeightGradient(weightGradient, gradient);
      return needsInputGradient ? addInputGradient(gradient) : undefined;
    },
  };
}
