/** The input gradients of convolutions and linear layers: products with the transposed weights. */
import type { Borders, FeatureMap } from "../featureMap.ts";
import { operand, padded } from "../featureMap.ts";
import { control, LANES } from "../kernels/kernel.ts";
import { PANEL_ROW } from "../kernels/tile.ts";
import { type BuildContext, mapOf, withBorders } from "./op.ts";
import { itemSize, panelBytes, type Weighted } from "./products.ts";
import { type Segment, sumParts, tapsOf } from "./window.ts";

/** Pixels of an item: many, since each item transposes the weights of its panels. */
const PIXELS = 512;

/**
 * dx[y, x] = Σ dy[(y + padding − k) / stride, …] · w[k, …] over the window's elements k for which the division has no remainder. Pixels at the same
 * position modulo the stride have the same elements, so there is a step for each position.
 */
export function addInputGradient(
  context: BuildContext,
  work: string,
  weighted: Weighted,
  gradient: FeatureMap,
  borders: Borders,
): FeatureMap {
  const { input, window } = weighted;
  if (window.isWhole) return addLinear(context, work, weighted, gradient, borders);
  const target = mapOf(context, input, borders, input.lanes);
  const { stride } = window;
  const { outputs, lanes } = weighted.panels;
  const runLength = window.groups > 1 ? outputs / window.groups : gradient.lanes;
  for (let row = 0; row < Math.min(stride, input.height); row++) {
    for (let column = 0; column < Math.min(stride, input.width); column++) {
      const taps = tapsOf(row, column, window);
      const segments = taps.map(({ outputRow, outputColumn }) => ({
        offset: outputRow * gradient.rowBytes + outputColumn * gradient.pixelBytes,
        length: runLength,
      }));
      const { buffer, offset } = target.place;
      addTransposed(context, work, weighted, {
        gradient,
        segments,
        taps: taps.map((tap) => (tap.row * window.width + tap.column) * lanes * PANEL_ROW),
        outPanels: padded(runLength) / LANES,
        target: {
          c: { buffer, offset: offset + row * target.rowBytes + column * target.pixelBytes },
          cImage: target.imageBytes,
          cRow: stride * target.rowBytes,
          cPixel: stride * target.pixelBytes,
        },
        rows: Math.ceil((input.height - row) / stride),
        columns: Math.ceil((input.width - column) / stride),
        panels: input.lanes / LANES,
      });
    }
  }
  return target;
}

/** dx = dy · w, with all values of the map as columns. */
function addLinear(
  context: BuildContext,
  work: string,
  weighted: Weighted,
  gradient: FeatureMap,
  borders: Borders,
): FeatureMap {
  const target = mapOf(context, weighted.input, undefined, weighted.input.lanes);
  addTransposed(context, work, weighted, {
    gradient,
    segments: [{ offset: 0, length: gradient.lanes }],
    taps: [0],
    outPanels: gradient.lanes / LANES,
    target: operand("c", target),
    rows: 1,
    columns: 1,
    panels: target.imageBytes / PANEL_ROW,
  });
  return withBorders(context, target, borders);
}

interface Transposed {
  readonly gradient: FeatureMap;
  readonly segments: readonly Segment[];
  /** Distances of the window's elements in a panel of weights, in bytes. */
  readonly taps: readonly number[];
  /** Panels of the outputs of a group. */
  readonly outPanels: number;
  readonly target: ReturnType<typeof operand<"c">>;
  readonly rows: number;
  readonly columns: number;
  readonly panels: number;
}

function addTransposed(context: BuildContext, work: string, weighted: Weighted, one: Transposed): void {
  const { plan, kernels, batchSize } = context;
  const { window, panels, weight } = weighted;
  const { segments, rows, columns, outPanels } = one;
  const size = itemSize(batchSize * rows * columns, one.panels, PIXELS);
  context.scratch(8 * size.pixelsOfItem + segments.length * outPanels * LANES * PANEL_ROW);
  const taps = plan.table(Int32Array.from(one.taps));
  plan.add(work, kernels.transposedProduct, {
    ...operand("a", one.gradient),
    ...one.target,
    rows,
    columns,
    ...size,
    panels: one.panels,
    panelsOfGroup: one.panels / window.groups,
    aGroup: 4 * outPanels * LANES,
    b: weight.value,
    bPanel: panelBytes(panels),
    ...sumParts(plan, segments),
    bias: control.zeros,
    biasPanel: 0,
    relu: 0,
    taps,
    tapsEnd: taps + 4 * one.taps.length,
    outPanels,
  });
}
