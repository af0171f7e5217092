/** Local response normalisation from primitives. */
import type { Desc, MemoryFormat } from "../native/oneDnn.ts";
import { channelsLast } from "../parts.ts";
import type { Plan, Value } from "../plan.ts";
import type { Builder, OpContext } from "./op.ts";

/** Normalisation over neighbouring channels; training stores the denominators. */
export const buildLocalResponseNorm: Builder<"localResponseNorm", OpContext> = (context, op, given) => {
  const { plan, training } = context;
  const { session } = plan;
  const { region, groups = 1 } = op.options;
  // Sums within channels do not reach other groups.
  const { input, view } = groupsApart(context, given, region ? 1 : groups);
  const { desc } = view(input);
  const forward = session.lrnForward(desc, op.options, training);
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

/** A map, and the view of maps in its layout that has the groups of channels as rows of the batch or as columns, between which no sum reaches. */
interface Grouped {
  readonly input: Value;
  view(map: Value): Value;
}

/** The library has no groups. Their view is the same memory, read with other extents; layouts that have none are changed to channels-last. */
function groupsApart({ plan, format }: OpContext, given: Value, groups: number): Grouped {
  if (groups === 1) return { input: given, view: (map) => map };
  const { session } = plan;
  const [n = 0, c = 0, h = 0, w = 0] = given.dims;
  const asRows = [n * groups, c / groups, h, w];
  const blocked = blocksOf(plan, asRows, format);
  if (blocked && session.same(given.desc, blocksOf(plan, given.dims, format) ?? blocked)) {
    return { input: given, view: (map) => ({ ...map, dims: asRows, desc: blocked }) };
  }
  const asColumns = [n, c / groups, h, w * groups];
  const desc = channelsLast(session, asColumns, format);
  const input = plan.inLayout(given, channelsLast(session, given.dims, format));
  return { input, view: (map) => ({ ...map, dims: asColumns, desc }) };
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
