import type { AnyOp, Op } from "../../engine.ts";
import type { ConvolutionWindow, Desc } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activation.ts";
import type { BuildContext, Built } from "./op.ts";

/** A convolution (with window) or inner product (without), with the activation behind it fused. */
export interface Weighted {
  readonly op: Op<"conv2d"> | Op<"linear">;
  readonly next: AnyOp | undefined;
  readonly input: Value;
  /** Layout to take the input in: `any` to let the library choose. */
  readonly src: Desc;
  readonly dst: Desc;
  readonly weightDims: readonly number[];
  readonly outputDims: readonly number[];
  readonly window: ConvolutionWindow;
}

/**
 * Forward chooses the layouts; backward takes activations in the same ones, and weights in whatever it wants: where that differs
 * from the layout in which the weights live, a reorder stands between.
 */
export function buildWeighted(context: BuildContext, weighted: Weighted): Built {
  const { plan, training } = context;
  const { op, next, window, weightDims, outputDims } = weighted;
  const { session } = plan;
  const activation = fusable(next);
  const [outputs = 0] = op.outputShape;
  const biasDesc = session.plain([outputs]);
  const anyWeights = session.any(weightDims);
  const forward = session.weightedForward(
    { src: weighted.src, weights: anyWeights, bias: biasDesc, dst: weighted.dst },
    window,
    training,
    activation,
  );
  const input = plan.inLayout(weighted.input, plan.layout(forward, "src"));
  const weights = context.parameter(`${op.name}.weight`, weightDims, plan.layout(forward, "weights"));
  const bias = context.parameter(`${op.name}.bias`, [outputs], biasDesc);
  const output = plan.value(outputDims, plan.layout(forward, "dst"));
  plan.add(forward, [
    ["src", input],
    ["weights", weights],
    ["bias", bias],
    ["dst", output],
  ]);

  function addWeightGradient(gradient: Value): void {
    const descs = { src: input.desc, weights: anyWeights, bias: biasDesc, dst: gradient.desc };
    const backward = session.weightedBackwardWeights(descs, window, forward);
    const target = context.gradient(`${op.name}.weight`);
    const chosen = plan.layout(backward, "diffWeights");
    const direct = session.same(chosen, target.desc);
    const weightGradient = direct ? target : plan.value(weightDims, chosen);
    plan.add(backward, [
      ["src", input],
      ["diffDst", gradient],
      ["diffWeights", weightGradient],
      ["diffBias", context.gradient(`${op.name}.bias`)],
    ]);
    if (!direct) plan.copy(weightGradient, target);
  }

  function addInputGradient(gradient: Value): Value {
    const descs = { src: input.desc, weights: anyWeights, bias: biasDesc, dst: gradient.desc };
    const backward = session.weightedBackwardData(descs, window, forward);
    const inputGradient = plan.value(input.dims, input.desc);
    plan.add(backward, [
      ["diffDst", gradient],
      ["weights", plan.inLayout(weights, plan.layout(backward, "weights"))],
      ["diffSrc", inputGradient],
    ]);
    return inputGradient;
  }

  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needsInputGradient) {
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, output.desc);
      addWeightGradient(gradient);
      return needsInputGradient ? addInputGradient(gradient) : undefined;
    },
  };
}
