/** Convolutions and linear layers: both are products over windows. */
import { type Borders, extentsOf, type FeatureMap, noBorders, operand, padded } from "../featureMap.ts";
import { LANES } from "../kernels/kernel.ts";
import { updateInstructions } from "../kernels/tensors.ts";
import { PANEL_ROW, tileFlags } from "../kernels/tile.ts";
import type { Place } from "../plan.ts";
import { type PanelExtents, pack, panelLayout, vectorLayout } from "../weights.ts";
import { addReluBackward, isFused } from "./activations.ts";
import { addInputGradient } from "./inputGradient.ts";
import { type BuildContext, type Builder, type Built, mapOf, type Site, withBorders } from "./op.ts";
import { ITEMS, itemSize, panelBytes, type Weighted } from "./products.ts";
import {
  convolutionBorders,
  convolutionPanels,
  convolutionWindow,
  cut,
  gradientBordersOf,
  linearPanels,
  linearWindow,
  segmentTable,
  sumParts,
  type Window,
  windowSegments,
} from "./window.ts";

/** Pixels of an item: enough to use a panel often, few enough to stay in the second cache with what they read. */
const PIXELS = 128;
/** Pixels of a block of the weights' gradient, whose panel stays in the first cache. */
const GRADIENT_PIXELS = 256;
/** Inputs of a linear layer that are multiplied with all gradients at a time. */
const GRADIENT_INPUTS = 512;

/** The place of a window's first pixel at output (0, 0). */
function windowStart({ place, rowBytes, pixelBytes }: FeatureMap, { padding }: Window): Place {
  return { ...place, offset: place.offset - padding * (rowBytes + pixelBytes) };
}

/** From one output pixel to the next in the input. */
function windowOperand(input: FeatureMap, window: Window) {
  const { stride } = window;
  return {
    a: windowStart(input, window),
    aImage: input.imageBytes,
    aRow: stride * input.rowBytes,
    aPixel: stride * input.pixelBytes,
  };
}

function addForward(context: BuildContext, work: string, weighted: Weighted, relu: boolean): void {
  const { plan, kernels, batchSize, scratch } = context;
  const { input, output, window, panels, weight, bias } = weighted;
  const count = padded(panels.outputs) / LANES;
  const size = itemSize(batchSize * output.height * output.width, count, PIXELS);
  scratch(8 * size.pixelsOfItem);
  plan.add(work, kernels.product, {
    ...windowOperand(input, window),
    ...operand("c", output),
    rows: output.height,
    columns: output.width,
    ...size,
    panels: count,
    panelsOfGroup: count / window.groups,
    aGroup: 4 * panels.lanes,
    b: weight.value,
    bPanel: panelBytes(panels),
    ...sumParts(plan, windowSegments(input, window, panels.lanes)),
    bias: bias.value,
    biasPanel: PANEL_ROW,
    relu: relu ? tileFlags.relu : 0,
  });
}

function addWeightGradient(context: BuildContext, work: string, weighted: Weighted, gradient: FeatureMap): void {
  const { plan, kernels, batchSize, scratch } = context;
  const { input, output, window, panels, weight, bias } = weighted;
  if (weight.gradient === undefined || bias.gradient === undefined) return;
  const count = padded(panels.outputs) / LANES;
  const whole = windowSegments(input, window, panels.lanes);
  const rows = window.isWhole ? 1 : output.height;
  const columns = window.isWhole ? batchSize : output.width;
  const rowsOfBlock = Math.min(batchSize * rows, Math.max(1, Math.floor(GRADIENT_PIXELS / columns)));
  scratch(rowsOfBlock * (4 + columns * PANEL_ROW) + PANEL_ROW);
  const tiled = window.isWhole ? addTiledRows(context, input) : undefined;
  const segments = tiled
    ? whole
        .flatMap((one) => cut(one, GRADIENT_INPUTS))
        .map(({ offset, length }) => ({ offset: (offset / 16) * tiled.aTile, length }))
    : whole;
  plan.add(work, kernels.weightGradient, {
    ...(tiled ?? { ...windowOperand(input, window), aTile: 16 }),
    ...operand("g", gradient),
    gPixel: window.isWhole ? gradient.imageBytes : gradient.pixelBytes,
    rows,
    columns,
    joined: Number(window.isWhole),
    rowsOfBlock,
    panels: count,
    panelsOfGroup: count / window.groups,
    aGroup: 4 * panels.lanes,
    segments: segmentTable(plan, segments),
    segmentCount: segments.length,
    segmentsOfItem: Math.ceil(
      segments.length / Math.min(segments.length, window.isWhole ? Infinity : Math.ceil(ITEMS / count)),
    ),
    c: weight.gradient,
    cPanel: panelBytes(panels),
    bias: bias.gradient,
  });
  if (panels.spreadGroups > 1) addMask(context, panels, weight.gradient);
}

/** Inputs of a linear layer in tiles, since rows at a distance of a power of two would push each other out of the cache. */
function addTiledRows({ plan, kernels, batchSize }: BuildContext, input: FeatureMap) {
  const tiles = input.imageBytes / 16;
  const aTile = 16 * batchSize;
  const buffer = plan.buffer(tiles * aTile);
  const c = { buffer, offset: 0 };
  plan.add("copy", kernels.tileRows, { a: input.place, aImage: input.imageBytes, c, cTile: aTile, tiles });
  return { a: c, aImage: 0, aRow: 0, aPixel: 16, aTile };
}

/** Sets the gradient of weights between groups to 0. */
function addMask({ plan, kernels, scratch }: BuildContext, panels: PanelExtents, gradient: number): void {
  const layout = panelLayout(panels);
  const mask = new Float32Array(layout.length);
  pack(layout, new Float32Array(panels.outputs * panels.channels * panels.taps).fill(1), mask);
  const { load, multiplyTensor, store } = updateInstructions;
  const program = plan.table(Int32Array.of(load, gradient, multiplyTensor, plan.table(mask), store, gradient));
  scratch(4096);
  plan.add("groups", kernels.update, { bytes: 4 * layout.length, program, programEnd: program + 24 });
}

function build(
  context: BuildContext,
  work: string,
  {
    op,
    input,
    window,
    panels,
    gradientBorders,
  }: Pick<Weighted, "op" | "input" | "window" | "panels"> & { readonly gradientBorders: Borders },
  site: Site,
): Built {
  const fused = isFused(site.next);
  const covers = fused ? 2 : 1;
  const output = mapOf(context, extentsOf(op.outputShape), site.outputBorders(covers));
  const weight = context.parameter(op.name, "weight", panelLayout(panels));
  const bias = context.parameter(op.name, "bias", vectorLayout(panels.outputs));
  const weighted = { op, input, output, window, panels, weight, bias };
  addForward(context, work, weighted, fused);
  return {
    output,
    covers,
    gradientBorders: site.needsInputGradient ? gradientBorders : noBorders,
    backward(gradient) {
      const { plan } = context;
      if (fused) addReluBackward(context, output, gradient);
      plan.enter(op.name, "backwardWeights");
      addWeightGradient(context, work, weighted, gradient);
      plan.enter(op.name, "backwardData");
      return site.needsInputGradient
        ? addInputGradient(context, work, weighted, gradient, site.inputGradientBorders)
        : undefined;
    },
  };
}

const buildConv2d: Builder<"conv2d"> = (context, op, given, site) => {
  const window = convolutionWindow(op);
  const borders = convolutionBorders(op);
  const input = withBorders(context, given, borders);
  const panels = convolutionPanels(op, input);
  return build(
    context,
    "convolution",
    { op, input, window, panels, gradientBorders: gradientBordersOf(op, window) },
    site,
  );
};

const buildLinear: Builder<"linear"> = (context, op, input, site) =>
  build(
    context,
    "linear",
    { op, input, window: linearWindow(input), panels: linearPanels(op, input), gradientBorders: noBorders },
    site,
  );

export const weightedBuilders = { conv2d: buildConv2d, linear: buildLinear };
