import type { Op } from "../../engine.ts";
import type { BuildContext, Builder } from "./op.ts";
import { buildWeighted } from "./weighted.ts";

/** Convolution: Winograd's algorithm where it is faster and may be used, direct otherwise. */
export const buildConv2d: Builder<"conv2d"> = (context, op, input, next) => {
  const { outChannels, kernelSize, groups, stride, padding } = op.options;
  const channels = (op.inputShape[0] as number) / groups;
  const filter = [channels, kernelSize, kernelSize];
  const weightDims = groups === 1 ? [outChannels, ...filter] : [groups, outChannels / groups, ...filter];
  const outputDims = [context.batchSize, ...op.outputShape];
  const src = context.plan.session.any(input.dims, context.format);
  const window = { stride, padding, algorithm: isForWinograd(context, op) ? "winograd" : "direct" } as const;
  return buildWeighted(context, { op, next, input, src, weightDims, outputDims, window });
};

/** The only convolutions for which the library has Winograd's algorithm. */
function isForWinograd({ exact, format }: BuildContext, { options }: Op<"conv2d">): boolean {
  const { kernelSize, stride, groups } = options;
  return !exact && format === "f32" && kernelSize === 3 && stride === 1 && groups === 1;
}
