/** Pooling from primitives: max, average, and average to a given size. */
import { featureMap } from "../../../shape.ts";
import type { MemoryFormat, PoolAlgorithm, Window2d } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
import { type Builder, type Built, type OpContext, passThrough } from "./op.ts";

const buildMaxPool2d: Builder<"maxPool2d", OpContext> = (context, op, input) =>
  buildPool(context, "max", input, [context.batchSize, ...op.outputShape], op.options);

const buildAveragePool2d: Builder<"averagePool2d", OpContext> = (context, op, input) => {
  const algorithm = op.options.countIncludePad ? "averageWithPadding" : "average";
  return buildPool(context, algorithm, input, [context.batchSize, ...op.outputShape], op.options);
};

/**
 * No steps if the map already has the size, average pooling if all windows have the same shape, otherwise a matrix product: each output is a fixed
 * weighting of the map's pixels.
 */
const buildAdaptiveAveragePool2d: Builder<"adaptiveAveragePool2d", OpContext> = (context, op, input) => {
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

export const poolBuilders = {
  maxPool2d: buildMaxPool2d,
  averagePool2d: buildAveragePool2d,
  adaptiveAveragePool2d: buildAdaptiveAveragePool2d,
};

/** Pooling over windows of the same shape. In training, max pooling stores the position of each maximum. */
function buildPool(
  { plan, training, format }: OpContext,
  algorithm: PoolAlgorithm,
  input: Value,
  outputDims: readonly number[],
  window: Window2d,
): Built {
  const { session } = plan;
  const forward = session.poolForward(algorithm, input.desc, session.any(outputDims, format), window, training);
  const output = plan.value(outputDims, plan.layout(forward, "dst"));
  const workspace = plan.workspace(forward);
  plan.add("pooling", forward, [["src", input], ["dst", output], ...workspace]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = plan.inLayout(outputGradient, output.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const backward = session.poolBackward(algorithm, input.desc, output.desc, window, forward);
      plan.add("pooling", backward, [["diffDst", gradient], ["diffSrc", inputGradient], ...workspace]);
      return inputGradient;
    },
  };
}

/** View of memory in row order as [maps, pixels]. */
function asMatrix(plan: Plan, value: Value, format: MemoryFormat): Value {
  const [n = 0, c = 0, h = 0, w = 0] = value.dims;
  const dims = [n * c, h * w];
  const inRowOrder = plan.inLayout(value, plan.session.plain(value.dims, format));
  return { ...inRowOrder, dims, desc: plan.session.plain(dims, format) };
}

function unevenWindows(
  { plan, format }: OpContext,
  input: Value,
  outputDims: readonly number[],
  table: Float32Array,
): Built {
  const { session } = plan;
  const output = plan.value(outputDims, session.plain(outputDims, format));
  const source = asMatrix(plan, input, format);
  const target = asMatrix(plan, output, format);
  const [pixels = 0, outputs = 0] = [source.dims[1], target.dims[1]];
  const toOutput = plan.value([pixels, outputs], session.plain([pixels, outputs], "f32"));
  const toInput = plan.value([outputs, pixels], session.plain([outputs, pixels], "f32"));
  let written = false;
  plan.addCall(() => {
    if (written) return;
    plan.view(toInput).set(table);
    plan.view(toOutput).set(transposed(table, outputs, pixels));
    written = true;
  }, [toOutput, toInput]);
  plan.keep(toOutput);
  plan.keep(toInput);
  const forwardWeights = plan.inLayout(toOutput, session.plain(toOutput.dims, format));
  plan.add("matmul", session.matmul(source.desc, forwardWeights.desc, target.desc), [
    ["src", source],
    ["weights", forwardWeights],
    ["dst", target],
  ]);
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed) return undefined;
      const gradient = asMatrix(plan, outputGradient, format);
      const inputGradient = plan.value(input.dims, session.plain(input.dims, format));
      const inputMatrix = asMatrix(plan, inputGradient, format);
      const backwardWeights = plan.inLayout(toInput, session.plain(toInput.dims, format));
      plan.add("matmul", session.matmul(gradient.desc, backwardWeights.desc, inputMatrix.desc), [
        ["src", gradient],
        ["weights", backwardWeights],
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
      const fraction = 1 / ((bottom - top) * (right - left));
      for (let y = top; y < bottom; y++) table.fill(fraction, row + y * width + left, row + y * width + right);
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
