/** Convolution as loops, forward and backward. */
import { featureMap } from "../../shape.ts";
import type { Op } from "../engine.ts";
import type { Operation } from "./operation.ts";
import { addScaled, dot } from "./vector.ts";

/**
 * y[o, r, c] = b[o] + Σ w[o, i, kr, kc] · x[i, r·stride − padding + kr, c·stride − padding + kc], summed over the input
 * channels i of o's group and over the window; x is 0 in the padding.
 * Each term combines one x, one w and one y, so the two derivatives run over the same triples:
 * dx += w · dy, dw += x · dy; db[o] = Σ dy[o, r, c].
 *
 * Shapes: x [C, H, W], y [outChannels, H′, W′], w [outChannels, C / groups, kernelSize, kernelSize], b [outChannels].
 * Source: Krizhevsky et al. 2012, §3.5.
 */
export const conv2d: Operation<"conv2d"> = {
  forward(op, { input, output, weight, bias }) {
    const { stride } = op.options;
    const plane = output.length / bias.length;
    bias.forEach((b, o) => {
      output.fill(b, o * plane, (o + 1) * plane);
    });
    forEachRun(op, (w, y, x, length) => {
      addScaled(output, y, 1, weight[w] as number, input, x, stride, length);
    });
  },
  inputGradient(op, { inputGradient, outputGradient, weight }) {
    const { stride } = op.options;
    inputGradient.fill(0);
    forEachRun(op, (w, y, x, length) => {
      addScaled(inputGradient, x, stride, weight[w] as number, outputGradient, y, 1, length);
    });
  },
  parameterGradients(op, { input, outputGradient, weightGradient, biasGradient }) {
    const { stride } = op.options;
    const plane = outputGradient.length / biasGradient.length;
    outputGradient.forEach((dy, i) => {
      const o = Math.floor(i / plane);
      biasGradient[o] = (biasGradient[o] as number) + dy;
    });
    forEachRun(op, (w, y, x, length) => {
      weightGradient[w] = (weightGradient[w] as number) + dot(outputGradient, y, 1, input, x, stride, length);
    });
  },
};

/**
 * Calls `visit` for every weight element w and every output row that it contributes to: output elements y, y + 1, … use input elements
 * x, x + stride, … with w. Padding is skipped.
 */
function forEachRun(
  { name, options, inputShape, outputShape }: Op<"conv2d">,
  visit: (w: number, y: number, x: number, length: number) => void,
): void {
  const { kernelSize, groups } = options;
  const [channels, height, width] = featureMap(name, inputShape);
  const [outChannels, outHeight, outWidth] = featureMap(name, outputShape);
  const groupInputs = channels / groups;
  const groupOutputs = outChannels / groups;
  let w = 0;
  for (let o = 0; o < outChannels; o++) {
    const firstInput = Math.floor(o / groupOutputs) * groupInputs;
    for (let i = firstInput; i < firstInput + groupInputs; i++) {
      for (let kr = 0; kr < kernelSize; kr++) {
        const rows = insideImage(kr, height, outHeight, options);
        for (let kc = 0; kc < kernelSize; kc++, w++) {
          const columns = insideImage(kc, width, outWidth, options);
          for (let r = 0; r < rows.count; r++) {
            const y = (o * outHeight + rows.output + r) * outWidth + columns.output;
            const x = (i * height + rows.input + r * options.stride) * width + columns.input;
            visit(w, y, x, columns.count);
          }
        }
      }
    }
  }
}

/** Output positions on one axis whose window has its element k inside the image, and the first input position. */
function insideImage(
  k: number,
  extent: number,
  outExtent: number,
  { stride, padding }: Op<"conv2d">["options"],
): { readonly output: number; readonly input: number; readonly count: number } {
  const output = Math.max(0, Math.ceil((padding - k) / stride));
  const end = Math.min(outExtent, Math.floor((extent - 1 + padding - k) / stride) + 1);
  return { output, input: output * stride - padding + k, count: Math.max(0, end - output) };
}
