/** Locally connected layer as loops, forward and backward. */
import { featureMap } from "../../shape.ts";
import type { Op } from "../engine.ts";
import type { Operation } from "./operation.ts";

/**
 * y[o] = b[o] + Σ w[o, i] · x[i], summed over the inputs i of the window of output o, which is outside of the padding;
 * dx[i] += w · dy, dw = x · dy, over the same triples; db = dy.
 *
 * Shapes: x [C, H, W], y [outChannels, H′, W′], w [y's size, C, kernelSize, kernelSize], b [y's size].
 */
export const localConv2d: Operation<"localConv2d"> = {
  forward(op, { input, output, weight, bias }) {
    output.set(bias);
    forEachProduct(op, (w, y, x) => {
      output[y] = (output[y] as number) + (weight[w] as number) * (input[x] as number);
    });
  },
  inputGradient(op, { inputGradient, outputGradient, weight }) {
    inputGradient.fill(0);
    forEachProduct(op, (w, y, x) => {
      inputGradient[x] = (inputGradient[x] as number) + (weight[w] as number) * (outputGradient[y] as number);
    });
  },
  parameterGradients(op, { input, outputGradient, weightGradient, biasGradient }) {
    for (const [y, dy] of outputGradient.entries()) biasGradient[y] = (biasGradient[y] as number) + dy;
    forEachProduct(op, (w, y, x) => {
      weightGradient[w] = (weightGradient[w] as number) + (input[x] as number) * (outputGradient[y] as number);
    });
  },
};

/** Calls `visit` for every product: weight element w of output y times input x. */
function forEachProduct(
  { name, options, inputShape, outputShape }: Op<"localConv2d">,
  visit: (w: number, y: number, x: number) => void,
): void {
  const { kernelSize, stride, padding } = options;
  const [channels, height, width] = featureMap(name, inputShape);
  const [outChannels, outHeight, outWidth] = featureMap(name, outputShape);
  let [w, y] = [0, 0];
  for (let o = 0; o < outChannels; o++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++, y++) {
        for (let i = 0; i < channels; i++) {
          for (let kr = 0; kr < kernelSize; kr++) {
            for (let kc = 0; kc < kernelSize; kc++, w++) {
              const [r, c] = [row * stride - padding + kr, column * stride - padding + kc];
              if (r >= 0 && r < height && c >= 0 && c < width) visit(w, y, (i * height + r) * width + c);
            }
          }
        }
      }
    }
  }
}
