/** Adaptive average pooling in loops, forward beside backward. */
import { featureMap } from "../../shape.ts";
import type { Op } from "../engine.ts";
import { meansOver } from "./averagePool2d.ts";

/**
 * y[c, r, q] = mean of x[c, ·, ·] over rows ⌊r·H/S⌋ … ⌈(r+1)·H/S⌉ − 1 and columns ⌊q·W/S⌋ … ⌈(q+1)·W/S⌉ − 1, S the output size;
 * dx += dy / window size over the same window.
 *
 * Shapes: [C, H, W] → [C, S, S].
 */
export const adaptiveAveragePool2d = meansOver<"adaptiveAveragePool2d">(forEachPair);

function forEachPair(
  { name, options, inputShape }: Op<"adaptiveAveragePool2d">,
  visit: (y: number, x: number, share: number) => void,
): void {
  const [channels, height, width] = featureMap(name, inputShape);
  const size = options.outputSize;
  let y = 0;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < size; r++) {
      const rows = window(r, height, size);
      for (let q = 0; q < size; q++, y++) {
        const columns = window(q, width, size);
        const share = 1 / ((rows.end - rows.start) * (columns.end - columns.start));
        for (let row = rows.start; row < rows.end; row++) {
          for (let column = columns.start; column < columns.end; column++) {
            visit(y, (c * height + row) * width + column, share);
          }
        }
      }
    }
  }
}

function window(index: number, extent: number, size: number): { readonly start: number; readonly end: number } {
  return { start: Math.floor((index * extent) / size), end: Math.ceil(((index + 1) * extent) / size) };
}
