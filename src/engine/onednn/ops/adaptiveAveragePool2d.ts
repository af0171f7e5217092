import { featureMap } from "../../../shape.ts";
import type { Plan, Value } from "../plan.ts";
import { type BuildContext, type Builder, type Built, passThrough } from "./op.ts";
import { buildPool } from "./pool.ts";

/**
 * Nothing if the map has the size already, average pooling if all windows are alike, otherwise a matrix product: each output is a
 * fixed weighting of the map's pixels.
 */
export const buildAdaptiveAveragePool2d: Builder<"adaptiveAveragePool2d"> = (context, op, input) => {
  const [, height, width] = featureMap(op.name, op.inputShape);
  const { outputSize } = op.options;
  if (height === outputSize && width === outputSize) return passThrough(input);
  const outputDims = [context.batchSize, ...op.outputShape];
  const even = height === width && height % outputSize === 0;
  const size = height / outputSize;
  return even
    ? buildPool(context, "average", input, outputDims, { kernelSize: size, stride: size, padding: 0 })
    : unevenWindows(context, input, outputDims, weighting(height, width, outputSize));
};

/** The same memory, in row order, seen as [maps, pixels]. */
function asMatrix(plan: Plan, value: Value): Value {
  const [n = 0, c = 0, h = 0, w = 0] = value.dims;
  const dims = [n * c, h * w];
  return { ...plan.inLayout(value, plan.session.plain(value.dims)), dims, desc: plan.session.plain(dims) };
}

function unevenWindows(
  { plan }: BuildContext,
  input: Value,
  outputDims: readonly number[],
  table: Float32Array,
): Built {
  const { session } = plan;
  const output = plan.value(outputDims);
  const source = asMatrix(plan, input);
  const target = asMatrix(plan, output);
  const [pixels = 0, outputs = 0] = [source.dims[1], target.dims[1]];
  const toOutput = plan.value([pixels, outputs]);
  const toInput = plan.value([outputs, pixels]);
  let written = false;
  plan.addCall(() => {
    if (written) return;
    plan.view(toInput).set(table);
    plan.view(toOutput).set(transposed(table, outputs, pixels));
    written = true;
  }, [toOutput, toInput]);
  plan.keep(toOutput);
  plan.keep(toInput);
  plan.add(session.matmul(source.desc, toOutput.desc, target.desc), [
    ["src", source],
    ["weights", toOutput],
    ["dst", target],
  ]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = asMatrix(plan, outputGradient);
      const inputGradient = plan.value(input.dims);
      const inputMatrix = asMatrix(plan, inputGradient);
      plan.add(session.matmul(gradient.desc, toInput.desc, inputMatrix.desc), [
        ["src", gradient],
        ["weights", toInput],
        ["dst", inputMatrix],
      ]);
      return inputGradient;
    },
  };
}

/** [outputs, pixels]: 1 / (pixels in the window) inside each output's window, 0 elsewhere. */
function weighting(height: number, width: number, size: number): Float32Array {
  const table = new Float32Array(size * size * height * width);
  const window = (i: number, extent: number) =>
    [Math.floor((i * extent) / size), Math.ceil(((i + 1) * extent) / size)] as const;
  for (let oy = 0; oy < size; oy++) {
    for (let ox = 0; ox < size; ox++) {
      const [top, bottom] = window(oy, height);
      const [left, right] = window(ox, width);
      const row = (oy * size + ox) * height * width;
      const share = 1 / ((bottom - top) * (right - left));
      for (let y = top; y < bottom; y++) table.fill(share, row + y * width + left, row + y * width + right);
    }
  }
  return table;
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c] as number;
  }
  return result;
}
