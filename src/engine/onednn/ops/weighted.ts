import { UnimplementedError } from "../../../errors.ts";
import type { AnyOp, Op } from "../../engine.ts";
import type { ConvolutionWindow, Desc, NumberFormat, PrimitiveDesc } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import { addActivationBackward, fusable } from "./activation.ts";
import type { BuildContext, Built, Part } from "./op.ts";

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
  /** Which part of the operation's parameters it has. */
  readonly part: Part;
}

/** The forward primitive: it chooses the layouts. */
export function forwardOf({ plan, training, format }: BuildContext, weighted: Weighted): PrimitiveDesc {
  const { session } = plan;
  const { next, window, src, weightDims, outputDims } = weighted;
  const descs = {
    src,
    weights: session.any(weightDims, format),
    bias: session.plain(outputDims.slice(1, 2), "f32"),
    // What ends the chain is read by the loss: in f32, whatever it was multiplied in.
    dst: outputLayout(plan.session, weighted, next ? format : "f32"),
  };
  return session.weightedForward(descs, window, training, fusable(next));
}

/** Whether the library has the forward primitive. */
export function hasForward(context: BuildContext, weighted: Weighted): boolean {
  return orUnimplemented(() => forwardOf(context, weighted)) !== undefined;
}

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
  const weightGradient = training ? weightGradientOf() : undefined;
  const weightsLayout = plan.layout(forward, "weights");
  const stored = weightGradient ? plan.layout(weightGradient, "diffWeights") : weightsLayout;
  const weight = context.parameter(`${op.name}.weight`, weightDims, stored, part);
  const bias = context.parameter(`${op.name}.bias`, biasDims, biasDesc, part);
  const multiplied = plan.inLayout(weight.value, weightsLayout);
  plan.add(work, forward, [
    ["src", input],
    ["weights", multiplied],
    ["bias", bias.value],
    ["dst", output],
  ]);

  function weightGradientOf(): PrimitiveDesc {
    const dst = next ? output.desc : outputLayout(session, weighted, format);
    const descs = { src: input.desc, weights: session.any(weightDims, "f32"), bias: biasDesc, dst };
    return orDirect(window, (allowed) => session.weightedBackwardWeights(descs, allowed, forward));
  }
  function addWeightGradient(backward: PrimitiveDesc, gradient: Value): void {
    if (!weight.gradient || !bias.gradient) throw new Error(`${op.name}: no gradient`);
    plan.enter(op.name, "backwardWeights");
    plan.add(work, backward, [
      ["src", input],
      ["diffDst", gradient],
      ["diffWeights", weight.gradient],
      ["diffBias", bias.gradient],
    ]);
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
        : plan.inLayout(outputGradient, plan.layout(weightGradient, "diffDst"));
      addWeightGradient(weightGradient, gradient);
      return needsInputGradient ? addInputGradient(gradient) : undefined;
    },
  };
}

/** Inner products keep row order, in which the library has one layout of weights for all three directions. */
function outputLayout(
  session: BuildContext["plan"]["session"],
  { window, outputDims }: Weighted,
  format: NumberFormat,
): Desc {
  return window ? session.any(outputDims, format) : session.plain(outputDims, format);
}

/** What the library has of a convolution in one direction: by the algorithm asked for, or else direct. */
function orDirect(window: ConvolutionWindow, make: (window: ConvolutionWindow) => PrimitiveDesc): PrimitiveDesc {
  if (window?.algorithm !== "winograd") return make(window);
  return orUnimplemented(() => make(window)) ?? make({ ...window, algorithm: "direct" });
}

function orUnimplemented(make: () => PrimitiveDesc): PrimitiveDesc | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof UnimplementedError) return undefined;
    throw error;
  }
}
