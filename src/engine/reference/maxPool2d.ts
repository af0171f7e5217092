/** Max pooling in loops, forward beside backward. */
import { featureMap } from "../../shape.ts";
import type { Op } from "../engine.ts";
import { noParameterGradients, type Operation } from "./operation.ts";

/**
 * y[c, r, q] = the largest x[c, ·, ·] of the window at (r·stride − padding, q·stride − padding), padding never counting;
 * dx[its place] += dy[c, r, q], its place being the first of the largest in row order.
 *
 * Shapes: [C, H, W] → [C, H′, W′]. Source: Krizhevsky et al. 2012, §3.4.
 */
export const maxPool2d: Operation<"maxPool2d"> = {
  forward(op, { input, output }) {
    forEachLargest(op, input, (y, x) => {
      output[y] = input[x] as number;
    });
  },
  inputGradient(op, { input, outputGradient, inputGradient }) {
    inputGradient.fill(0);
    forEachLargest(op, input, (y, x) => {
      inputGradient[x] = (inputGradient[x] as number) + (outputGradient[y] as number);
    });
  },
  parameterGradients: noParameterGradients,
};

/** Calls `visit` for every output element y with the input element x that it takes. */
function forEachLargest(
  { name, options, inputShape, outputShape }: Op<"maxPool2d">,
  input: Float64Array,
  visit: (y: number, x: number) => void,
): void {
  const { kernelSize, stride, padding } = options;
  const [channels, height, width] = featureMap(name, inputShape);
  const [, outHeight, outWidth] = featureMap(name, outputShape);
  let y = 0;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < outHeight; r++) {
      const top = r * stride - padding;
      for (let q = 0; q < outWidth; q++, y++) {
        const left = q * stride - padding;
        let largest = -1;
        for (let row = Math.max(0, top); row < Math.min(height, top + kernelSize); row++) {
          for (let column = Math.max(0, left); column < Math.min(width, left + kernelSize); column++) {
            const x = (c * height + row) * width + column;
            if (largest < 0 || (input[x] as number) > (input[largest] as number)) largest = x;
          }
        }
        visit(y, largest);
      }
    }
  }
}
