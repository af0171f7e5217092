/** Convolution from primitives. */
import type { AnyOp, Op } from "../../engine.ts";
import type { Desc } from "../native/oneDnn.ts";
import { channelPart, channelsLast } from "../parts.ts";
import type { Value } from "../plan.ts";
import { buildWeighted } from "./buildConvOrLinear.ts";
import { forwardOf, hasForward, type Weighted } from "./convOrLinear.ts";
import { convolutionAlgorithm } from "./convolutionRule.ts";
import { buildDft } from "./dftConvolution.ts";
import { type BuildContext, type Builder, type Built, type Part, whole } from "./op.ts";

/** Channels per block of a layout: groups of other sizes than multiples of it cannot be sliced from a map. */
const CHANNEL_BLOCK = 16;

/** Convolution, by the algorithm that the rule selects. */
export const buildConv2d: Builder<"conv2d"> = (context, op, input, next) => {
  const winograd = winogradParts(context, op, input, next);
  const algorithm = convolutionAlgorithm(context, op, winograd !== undefined);
  context.chose(op.name, algorithm === "direct" && winograd ? "winograd" : algorithm);
  if (algorithm === "dft") return buildDft(context, op, input, next);
  const direct = weightedOf(context, op, input, next, whole, "direct");
  if (!winograd) return buildWeighted(context, direct);
  const [only] = winograd;
  return only && winograd.length === 1 ? buildWeighted(context, only) : buildGroups(context, direct, winograd);
};

/** The layout of a convolution's input; undefined if the library chooses it. */
export function convolutionInput(context: BuildContext, op: Op<"conv2d">, input: Value): Desc | undefined {
  const hasWinograd = winogradParts(context, op, input, undefined) !== undefined;
  const isDft = convolutionAlgorithm(context, op, hasWinograd) === "dft";
  return isDft ? channelsLast(context.plan.session, input.dims, context.format) : undefined;
}

/** The groups of a convolution by Winograd's algorithm; undefined if it is not permitted, or the library lacks it. */
function winogradParts(
  context: BuildContext,
  op: Op<"conv2d">,
  input: Value,
  next: AnyOp | undefined,
): readonly Weighted[] | undefined {
  const { kernelSize, stride, groups, outChannels } = op.options;
  const channels = [op.inputShape[0] as number, outChannels];
  const mayRound = !context.exact && context.algorithm === undefined && context.format === "f32";
  const isDivisible = groups === 1 || channels.every((count) => count % (groups * CHANNEL_BLOCK) === 0);
  if (!mayRound || kernelSize !== 3 || stride !== 1 || !isDivisible) return undefined;
  const parts = Array.from({ length: groups }, (_, index) =>
    weightedOf(context, op, input, next, { index, count: groups }, "winograd"),
  );
  return parts.every((part) => hasForward(context, part)) ? parts : undefined;
}

/** The convolution of all groups, or of group i if `part` is part i of n groups. */
function weightedOf(
  { plan, batchSize, format }: BuildContext,
  op: Op<"conv2d">,
  input: Value,
  next: AnyOp | undefined,
  part: Part,
  algorithm: "direct" | "winograd",
): Weighted {
  const { outChannels, kernelSize, stride, padding, groups } = op.options;
  const channels = input.dims[1] as number;
  const filters = [outChannels / groups, channels / groups, kernelSize, kernelSize];
  const source = part.count === 1 ? input : channelPart(plan.session, input, part.index, part.count);
  const weightDims = groups === part.count ? filters : [groups, ...filters];
  return {
    op,
    next,
    input: source,
    src: plan.session.any(source.dims, format),
    weights: plan.session.any(weightDims, format),
    weightDims,
    outputDims: [batchSize, outChannels / part.count, ...op.outputShape.slice(1)],
    window: { stride, padding, algorithm },
    part,
  };
}

/** Computes each group separately, since the library has no grouped Winograd. Copying a group's channels costs little compared with the gain. */
function buildGroups(context: BuildContext, direct: Weighted, groups: readonly Weighted[]): Built {
  const { plan } = context;
  const { op, input, outputDims } = direct;
  const count = groups.length;
  const output = plan.value(outputDims, plan.layout(forwardOf(context, direct), "dst"));
  const parts = groups.map((group, index) => {
    const part = buildWeighted(context, group);
    plan.copy(part.output, channelPart(plan.session, output, index, count));
    return part;
  });
  return {
    output,
    covers: parts[0]?.covers ?? 1,
    backward(outputGradient, needed) {
      const gradient = plan.inLayout(outputGradient, output.desc);
      const inputGradient = needed ? plan.value(input.dims, input.desc) : undefined;
      parts.forEach((part, index) => {
        plan.enter(op.name, "backwardData");
        const partGradient = part.backward(channelPart(plan.session, gradient, index, count), needed);
        if (partGradient && inputGradient)
          plan.copy(partGradient, channelPart(plan.session, inputGradient, index, count));
      });
      return inputGradient;
    },
  };
}
