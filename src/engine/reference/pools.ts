/** Pooling as loops, forward and backward: maximum, average, adaptive average. */
import { featureMap } from "../../shape.ts";
import type { Op, OpKind } from "../engine.ts";
import { noParameterGradients, type Operation } from "./operation.ts";

/**
 * y[c, r, q] = the maximum of x[c, ·, ·] over the window at (r·stride − padding, q·stride − padding), without padding;
 * dx[its position] += dy[c, r, q], for the first maximum in row order.
 *
 * Shapes: [C, H, W] → [C, H′, W′]. Source: Krizhevsky et al. 2012, §3.4.
 */
const maxPool2d: Operation<"maxPool2d"> = {
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

/**
 * y[c, r, q] = Σ x[c, ·, ·] / n over the window at (r·stride − padding, q·stride − padding), with n the number of its pixels inside the map, or
 * kernelSize² with countIncludePad; dx += dy / n over the same window.
 *
 * Shapes: [C, H, W] → [C, H′, W′].
 */
const averagePool2d = meansOver<"averagePool2d">(forEachWindowPair);

/**
 * y[c, r, q] = mean of x[c, ·, ·] over rows ⌊r·H/S⌋ … ⌈(r+1)·H/S⌉ − 1 and columns ⌊q·W/S⌋ … ⌈(q+1)·W/S⌉ − 1, S the output size;
 * dx += dy / window size over the same window.
 *
 * Shapes: [C, H, W] → [C, S, S].
 */
const adaptiveAveragePool2d = meansOver<"adaptiveAveragePool2d">(forEachAdaptivePair);

export const pools = { maxPool2d, averagePool2d, adaptiveAveragePool2d } satisfies {
  readonly [K in OpKind]?: Operation<K>;
};

/** Calls `visit` for every output element y with the input element x that is its maximum. */
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

/** Calls `visit` for every output element y with each input element x of its window, and the weight of x in the mean. */
type ForEachPair<K extends OpKind> = (op: Op<K>, visit: (y: number, x: number, weight: number) => void) => void;

/** Means over windows, enumerated by `forEach`. */
function meansOver<K extends OpKind>(forEach: ForEachPair<K>): Operation<K> {
  return {
    forward(op, { input, output }) {
      output.fill(0);
      forEach(op, (y, x, weight) => {
        output[y] = (output[y] as number) + weight * (input[x] as number);
      });
    },
    inputGradient(op, { outputGradient, inputGradient }) {
      inputGradient.fill(0);
      forEach(op, (y, x, weight) => {
        inputGradient[x] = (inputGradient[x] as number) + weight * (outputGradient[y] as number);
      });
    },
    parameterGradients: noParameterGradients,
  };
}

function forEachWindowPair(
  { name, options, inputShape, outputShape }: Op<"averagePool2d">,
  visit: (y: number, x: number, weight: number) => void,
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
        const weight = 1 / (countIncludePad ? kernelSize ** 2 : (bottom - top) * (right - left));
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) visit(y, (c * height + row) * width + column, weight);
        }
      }
    }
  }
}

function forEachAdaptivePair(
  { name, options, inputShape }: Op<"adaptiveAveragePool2d">,
  visit: (y: number, x: number, weight: number) => void,
): void {
  const [channels, height, width] = featureMap(name, inputShape);
  const size = options.outputSize;
  let y = 0;
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < size; r++) {
      const rows = adaptiveWindow(r, height, size);
      for (let q = 0; q < size; q++, y++) {
        const columns = adaptiveWindow(q, width, size);
        const weight = 1 / ((rows.end - rows.start) * (columns.end - columns.start));
        for (let row = rows.start; row < rows.end; row++) {
          for (let column = columns.start; column < columns.end; column++) {
            visit(y, (c * height + row) * width + column, weight);
          }
        }
      }
    }
  }
}

function adaptiveWindow(index: number, extent: number, size: number): { readonly start: number; readonly end: number } {
  return { start: Math.floor((index * extent) / size), end: Math.ceil(((index + 1) * extent) / size) };
}
