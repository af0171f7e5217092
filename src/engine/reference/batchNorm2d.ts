/** Batch normalization as loops, forward and backward. */
import { requireSeveral, towards, unbiased } from "../runningStatistics.ts";
import type { Operation, Statistics } from "./operation.ts";

/** Rows of `shared`, C values each: mean, 1 / √(variance + eps), and for the backward pass the means of dy and of dy · x̂. */
const ROWS = 4;

/**
 * y = x̂ · w[c] + b[c] with x̂ = (x − mean[c]) · r[c] and r = 1 / √(variance + eps);
 * dx = w[c] · r[c] · (dy − mean(dy) − x̂ · mean(dy · x̂)) with means over the n values of a channel, which are 0 for running statistics;
 * dw[c] = Σ dy · x̂; db[c] = Σ dy.
 *
 * Shapes: [C, H, W], unchanged; w, b [C]. Source: Ioffe and Szegedy 2015, §3.
 */
export const batchNorm2d: Operation<"batchNorm2d"> = {
  forward({ options: { affine } }, { input, output, weight, bias, shared }) {
    const channels = shared.length / ROWS;
    forEach(input, channels, (i, c) => {
      const normalized = ((input[i] as number) - (shared[c] as number)) * (shared[channels + c] as number);
      output[i] = affine ? normalized * (weight[c] as number) + (bias[c] as number) : normalized;
    });
  },
  inputGradient({ options: { affine } }, { input, outputGradient, inputGradient, weight, shared }) {
    const channels = shared.length / ROWS;
    forEach(input, channels, (i, c) => {
      const [mean, r, meanGradient, slope] = rowsAt(shared, channels, c);
      const normalized = ((input[i] as number) - mean) * r;
      const factor = affine ? (weight[c] as number) * r : r;
      inputGradient[i] = factor * ((outputGradient[i] as number) - meanGradient - normalized * slope);
    });
  },
  parameterGradients(_op, { input, outputGradient, weightGradient, biasGradient, shared }) {
    const channels = shared.length / ROWS;
    forEach(input, channels, (i, c) => {
      const [mean, r] = rowsAt(shared, channels, c);
      const dy = outputGradient[i] as number;
      weightGradient[c] = (weightGradient[c] as number) + dy * ((input[i] as number) - mean) * r;
      biasGradient[c] = (biasGradient[c] as number) + dy;
    });
  },
};

export const batchNorm2dStatistics: Statistics<"batchNorm2d"> = {
  size: ({ inputShape }) => ROWS * (inputShape[0] as number),
  ofBatch({ name, options: { eps, momentum } }, inputs, [runningMean, runningVariance], shared) {
    const channels = shared.length / ROWS;
    const count = countOf(inputs, channels);
    requireSeveral(name, count);
    const mean = means(inputs, channels, (x) => x);
    const variance = means(inputs, channels, (x, c) => (x - (mean[c] as number)) ** 2);
    store(shared, mean, variance, eps);
    for (let c = 0; c < channels; c++) {
      towards(runningMean as Float64Array, c, mean[c] as number, momentum);
      towards(runningVariance as Float64Array, c, unbiased(variance[c] as number, count), momentum);
    }
  },
  ofRunning: ({ options: { eps } }, [mean, variance], shared) =>
    store(shared, mean as Float64Array, variance as Float64Array, eps),
  ofGradients(_op, inputs, outputGradients, shared) {
    const channels = shared.length / ROWS;
    shared.set(
      means(outputGradients, channels, (dy) => dy),
      2 * channels,
    );
    const slopes = means(outputGradients, channels, (dy, c, image, i) => {
      const [mean, r] = rowsAt(shared, channels, c);
      return dy * ((inputs[image]?.[i] as number) - mean) * r;
    });
    shared.set(slopes, 3 * channels);
  },
};

function store(shared: Float64Array, mean: Float64Array, variance: Float64Array, eps: number): void {
  shared.fill(0);
  shared.set(mean);
  shared.set(
    variance.map((value) => 1 / Math.sqrt(value + eps)),
    mean.length,
  );
}

function rowsAt(shared: Float64Array, channels: number, c: number): readonly [number, number, number, number] {
  const row = (r: number) => shared[r * channels + c] as number;
  return [row(0), row(1), row(2), row(3)];
}

/** Values of a channel in all images. */
function countOf(images: readonly Float64Array[], channels: number): number {
  return (images.length * (images[0]?.length ?? 0)) / channels;
}

/** Mean of f over the values of each channel, in all images. */
function means(
  images: readonly Float64Array[],
  channels: number,
  f: (x: number, c: number, image: number, i: number) => number,
): Float64Array {
  const sums = new Float64Array(channels);
  for (const [image, values] of images.entries()) {
    forEach(values, channels, (i, c) => {
      sums[c] = (sums[c] as number) + f(values[i] as number, c, image, i);
    });
  }
  const count = countOf(images, channels);
  return sums.map((sum) => sum / count);
}

/** Calls `visit` with the index of each value and its channel. */
function forEach(values: Float64Array, channels: number, visit: (i: number, c: number) => void): void {
  const plane = values.length / channels;
  for (let c = 0; c < channels; c++) for (let i = c * plane; i < (c + 1) * plane; i++) visit(i, c);
}
