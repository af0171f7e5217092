import { UnimplementedError } from "../../../errors.ts";
import type { AnyOp, Op } from "../../engine.ts";
import type { ConvolutionWindow, Desc, PrimitiveDesc } from "../native/oneDnn.ts";
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
  readonly weightDims: readonly number[];
  readonly outputDims: readonly number[];
  readonly window: ConvolutionWindow;
}

/**
 * Forward chooses the layouts of activations, backward takes the same. In training the weights live in the f32 layout that their gradient is
 * made in; where another layout or format is multiplied, a reorder stands between.
 */
export function buildWeighted(context: BuildContext, weighted: Weighted): Built {
  const { plan, training, format } = context;
  const { op, next, window, weightDims, outputDims } = weighted;
  const { session } = plan;
  const work = window ? "convolution" : "linear";
  const activation = fusable(next);
  const bias = session.plain([op.outputShape[0] as number], "f32");
  const weights = session.any(weightDims, format);
  // What ends the chain is read by the loss: in f32, whatever it was multiplied in.
  const dst = (of: typeof format) => (window ? session.any(outputDims, of) : session.plain(outputDims, of));
  const forward = orDirect(window, (allowed) =>
    session.weightedForward(
      { src: weighted.src, weights, bias, dst: dst(next ? format : "f32") },
      allowed,
      training,
      activation,
    ),
  );
  const input = plan.inLayout(weighted.input, plan.layout(forward, "src"));
  const output = plan.value(outputDims, plan.layout(forward, "dst"));
  const weightGradient = training ? weightGradientOf() : undefined;
  const weightsLayout = plan.layout(forward, "weights");
  const stored = weightGradient ? plan.layout(weightGradient, "diffWeights") : weightsLayout;
  const weight = context.parameter(`${op.name}.weight`, weightDims, stored);
  const biasValue = context.parameter(`${op.name}.bias`, [op.outputShape[0] as number], bias);
  const multiplied = plan.inLayout(weight, weightsLayout);
  plan.add(work, forward, [
    ["src", input],
    ["weights", multiplied],
    ["bias", biasValue],
    ["dst", output],
  ]);

  function weightGradientOf(): PrimitiveDesc {
    const gradients = { src: input.desc, weights: session.any(weightDims, "f32"), bias, dst: gradientLayout() };
    return orDirect(window, (allowed) => session.weightedBackwardWeights(gradients, allowed, forward));
  }
  function gradientLayout(): Desc {
    return next ? output.desc : dst(format);
  }
  function addWeightGradient(backward: PrimitiveDesc, gradient: Value): void {
    plan.enter(op.name, "backwardWeights");
    plan.add(work, backward, [
      ["src", input],
      ["diffDst", gradient],
      ["diffWeights", context.gradient(`${op.name}.weight`)],
      ["diffBias", context.gradient(`${op.name}.bias`)],
    ]);
  }
  function addInputGradient(gradient: Value): Value {
    plan.enter(op.name, "backwardData");
    const gradients = { src: input.desc, weights, bias, dst: gradient.desc };
    const backward = orDirect(window, (allowed) => session.weightedBackwardData(gradients, allowed, forward));
    const inputGradient = plan.value(input.dims, input.desc);
    const layout = plan.layout(backward, "weights");
    plan.add(work, backward, [
      ["diffDst", gradient],
      ["weights", session.same(layout, multiplied.desc) ? multiplied : plan.inLayout(weight, layout)],
      ["diffSrc", inputGradient],
    ]);
    return inputGradient;
  }

  return {
    output,
    covers: activation ? 2 : 1,
    backward(outputGradient, needsInputGradient) {
      if (!weightGradient) throw new Error(`${op.name}: backward of an inference program`);
      const layout = plan.layout(weightGradient, "diffDst");
      const gradient = activation
        ? addActivationBackward(plan, activation, output, outputGradient)
        : plan.inLayout(outputGradient, layout);
      addWeightGradient(weightGradient, gradient);
      return needsInputGradient ? addInputGradient(gradient) : undefined;
    },
  };
}

/** What the library has of a convolution in one direction: by the algorithm asked for, or else direct. */
function orDirect<T>(window: ConvolutionWindow, make: (window: ConvolutionWindow) => T): T {
  if (window?.algorithm !== "winograd") return make(window);
  try {
    return make(window);
  } catch (error) {
    if (!(error instanceof UnimplementedError)) throw error;
    return make({ ...window, algorithm: "direct" });
  }
}
