/** Local response normalisation from primitives. */
import type { Op } from "../../engine.ts";
import type { Desc, MemoryFormat } from "../native/oneDnn.ts";
import { channelsLast } from "../parts.ts";
import type { Plan, Value } from "../plan.ts";
import { fastest } from "./fastest.ts";
import type { Builder, OpContext } from "./op.ts";

/** Normalisation over neighbouring channels; training stores the denominators. */
export const buildLocalResponseNorm: Builder<"localResponseNorm", OpContext> = (context, op, given) => {
  const { plan } = context;
  const { session } = plan;
  const { layout, view, desc, forward } = formOf(context, op.options, given);
  const input = plan.inLayout(given, layout);
  const output = plan.value(input.dims, input.desc);
  const workspace = plan.workspace(forward);
  plan.add("localResponseNorm", forward, [["src", view(input)], ["dst", view(output)], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, input.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      plan.add("localResponseNorm", session.lrnBackward(desc, desc, op.options, forward), [
        ["src", view(input)],
        ["diffDst", view(gradient)],
        ["diffSrc", view(inputGradient)],
        ...workspace,
      ]);
      return inputGradient;
    },
  };
};

/** A layout of the maps, and their view in which the groups of channels are rows of the batch or columns, between which no sum reaches. */
interface Grouped {
  readonly layout: Desc;
  readonly dims: readonly number[];
  readonly desc: Desc;
}

/**
 * The layout, and the primitive of the forward pass in it. Training leaves a layout for which the library has only plain loops in the backward pass: with
 * AVX2 it has others for blocks of channels alone.
 */
function formOf(context: OpContext, options: Op<"localResponseNorm">["options"], given: Value) {
  const { plan, training } = context;
  const { session } = plan;
  const { region, groups = 1 } = options;
  // Sums within channels do not reach other groups.
  const layouts = layoutsOf(context, given, region ? 1 : groups);
  const forms = layouts.map(({ layout, dims, desc }) => {
    const forward = session.lrnForward(desc, options, training);
    const primitiveDesc = training ? session.lrnBackward(desc, desc, options, forward) : forward;
    return { layout, desc, forward, primitiveDesc, view: (map: Value): Value => ({ ...map, dims, desc }) };
  });
  return fastest(plan, forms);
}

/** The layout that lies there, or else channels-last; then the library's blocks of channels. The library has no groups, so layouts have a view of them. */
function layoutsOf({ plan, format }: OpContext, given: Value, groups: number): readonly Grouped[] {
  const { session } = plan;
  const [n = 0, c = 0, h = 0, w = 0] = given.dims;
  const asRows = [n * groups, c / groups, h, w];
  const [layout, desc] = [blocksOf(plan, given.dims, format), blocksOf(plan, asRows, format)];
  const blocked = layout && desc ? [{ layout, dims: asRows, desc }] : [];
  if (groups === 1) return [{ layout: given.desc, dims: given.dims, desc: given.desc }, ...blocked];
  if (blocked[0] && session.same(given.desc, blocked[0].layout)) return blocked;
  const asColumns = [n, c / groups, h, w * groups];
  const last = (dims: readonly number[]) => channelsLast(session, dims, format);
  return [{ layout: last(given.dims), dims: asColumns, desc: last(asColumns) }, ...blocked];
}

/** Channels per block of the library's layouts, or a multiple. */
const CHANNEL_BLOCK = 16;

/** The library's layout of convolutions, if it has the channels in blocks: [N, C / block, H, W, block], without padding. */
function blocksOf(plan: Plan, dims: readonly number[], format: MemoryFormat): Desc | undefined {
  const { session } = plan;
  const [, c = 0] = dims;
  if (c % CHANNEL_BLOCK !== 0) return undefined;
  const [maps, weights] = [session.any(dims, format), session.any([c, c, 1, 1], format)];
  const descs = { src: maps, weights, bias: session.plain([c], "f32"), dst: maps };
  const convolution = session.weightedForward(descs, { stride: 1, padding: 0, algorithm: "direct" }, true, undefined);
  const desc = plan.layout(convolution, "dst");
  const isUnblocked = [channelsLast(session, dims, format), session.plain(dims, format)].some((each) =>
    session.same(desc, each),
  );
  return isUnblocked ? undefined : desc;
}
