/** Average pooling in loops, forward beside backward. */
import { featureMap } from "../../shape.ts";
import type { Op, OpKind } from "../engine.ts";
import { noParameterGradients, type Operation } from "./operation.ts";

/**
 * y[c, r, q] = Σ x[c, ·, ·] / n over the window at (r·stride − padding, q·stride − padding), n its pixels inside the map, or all kernelSize²
 * with countIncludePad; dx += dy / n over the same window.
 *
 * Shapes: [C, H, W] → [C, H′, W′].
 */
export const averagePool2d = meansOver<"averagePool2d">(forEachPair);

/** Calls `visit` for every output element y with each input element x of its window and x's share in the mean. */
type ForEachPair<K extends OpKind> = (op: Op<K>, visit: (y: number, x: number, share: number) => void) => void;

/** Means over windows, however these lie. */
export function meansOver<K extends OpKind>(forEach: ForEachPair<K>): Operation<K> {
  return {
    forward(op, { input, output }) {
      output.fill(0);
      forEach(op, (y, x, share) => {
        output[y] = (output[y] as number) + share * (input[x] as number);
      });
    },
    inputGradient(op, { outputGradient, inputGradient }) {
      inputGradient.fill(0);
      forEach(op, (y, x, share) => {
        inputGradient[x] = (inputGradient[x] as number) + share * (outputGradient[y] as number);
      });
    },
    parameterGradients: noParameterGradients,
  };
}

function forEachPair(
  { name, options, inputShape, outputShape }: Op<"averagePool2d">,
  visit: (y: number, x: number, share: number) => void,
): void {
  const { kernelSize, stride, padding, countIncludePad } = options;
  const [channels, height, width] = featureMap(name, inputShape);
  const [, outHeight, outWidth] = featureMap(name, outputShape);
  const inside = (start: number, extent: number) => [Math.max(0, start), Math.min(extent, start + kernelSize)] as const;
  let y = 0;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < outHeight; r++) {
      const [top, bottom] = inside(r * stride - padding, height);
      for (let q = 0; q < outWidth; q++, y++) {
        const [left, right] = inside(q * stride - padding, width);
        const share = 1 / (countIncludePad ? kernelSize ** 2 : (bottom - top) * (right - left));
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) visit(y, (c * height + row) * width + column, share);
        }
      }
    }
  }
}
