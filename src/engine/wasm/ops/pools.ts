/** Pooling: maximum, average, adaptive average. */
import { featureMap } from "../../../shape.ts";
import type { Op, PoolWindow } from "../../engine.ts";
import { extentsOf, type FeatureMap, operand } from "../featureMap.ts";
import { addReluBackward, isFused } from "./activations.ts";
import { type BuildContext, type Builder, type Built, mapOf, passThrough, type Site } from "./op.ts";

/** For each output on one axis, the first input of its window and the end. */
type Ranges = readonly (readonly [first: number, end: number])[];

function slidingRanges(extent: number, outputs: number, { kernelSize, stride, padding }: PoolWindow): Ranges {
  return Array.from({ length: outputs }, (_, i) => {
    const start = i * stride - padding;
    return [Math.max(0, start), Math.min(extent, start + kernelSize)];
  });
}

function adaptiveRanges(extent: number, outputs: number): Ranges {
  return Array.from({ length: outputs }, (_, i) => [
    Math.floor((i * extent) / outputs),
    Math.ceil(((i + 1) * extent) / outputs),
  ]);
}

/** Arguments of the window kernels, from the map x to the pooled map y. */
function windowArguments({ plan }: BuildContext, x: FeatureMap, y: FeatureMap, rows: Ranges, columns: Ranges) {
  return {
    ...operand("x", x),
    ...operand("y", y),
    rows: y.height,
    columns: y.width,
    rowTable: plan.table(Int32Array.from(rows.flat())),
    columnTable: plan.table(Int32Array.from(columns.flat())),
    laneBytes: y.pixelBytes,
  };
}

const buildMaxPool2d: Builder<"maxPool2d"> = (context, op, input, site) => {
  const { plan, kernels, batchSize, training } = context;
  const fused = isFused(site.next);
  const covers = fused ? 2 : 1;
  const { height, width } = input;
  const output = mapOf(context, extentsOf(op.outputShape), site.outputBorders(covers), input.lanes);
  const windows = windowArguments(
    context,
    input,
    output,
    slidingRanges(height, output.height, op.options),
    slidingRanges(width, output.width, op.options),
  );
  const indexImage = output.height * output.width * output.pixelBytes;
  const keepsIndex = training && site.needsInputGradient;
  const index = keepsIndex ? { buffer: plan.buffer(batchSize * indexImage), offset: 0 } : 0;
  plan.add("pooling", kernels.maxPool, { ...windows, index, indexImage, relu: Number(fused) });
  return {
    output,
    covers,
    gradientBorders: site.inputGradientBorders,
    backward(gradient) {
      if (fused) addReluBackward(context, output, gradient);
      const target = mapOf(context, input, site.inputGradientBorders, input.lanes);
      plan.add("pooling", kernels.maxPoolBackward, {
        ...windows,
        ...operand("x", target),
        ...operand("y", gradient),
        index,
        indexImage,
        relu: 0,
        mapRows: height,
        mapColumns: width,
      });
      return target;
    },
  };
};

/** Means over windows. `count` is the number of pixels that a sum is divided by, given that of the window's rows and columns. */
function buildMeans(
  context: BuildContext,
  op: Op<"averagePool2d"> | Op<"adaptiveAveragePool2d">,
  input: FeatureMap,
  site: Site,
  {
    rows,
    columns,
    count,
  }: { readonly rows: Ranges; readonly columns: Ranges; readonly count: (rows: number, columns: number) => number },
): Built {
  const { plan, kernels } = context;
  const output = mapOf(context, extentsOf(op.outputShape), site.outputBorders(1), input.lanes);
  const windows = windowArguments(context, input, output, rows, columns);
  const size = ([first, end]: readonly [number, number]) => end - first;
  const weights = rows.flatMap((row) => columns.map((column) => 1 / count(size(row), size(column))));
  const table = plan.table(Float32Array.from(weights));
  plan.add("pooling", kernels.meanPool, { ...windows, weights: table });
  return {
    output,
    covers: 1,
    gradientBorders: site.inputGradientBorders,
    backward(gradient) {
      const target = mapOf(context, input, site.inputGradientBorders, input.lanes);
      plan.add("pooling", kernels.meanPoolBackward, {
        ...windows,
        ...operand("x", target),
        ...operand("y", gradient),
        weights: table,
        mapRows: input.height,
        mapColumns: input.width,
      });
      return target;
    },
  };
}

const buildAveragePool2d: Builder<"averagePool2d"> = (context, op, input, site) => {
  const [, outHeight, outWidth] = featureMap(op.name, op.outputShape);
  const { kernelSize, countIncludePad } = op.options;
  return buildMeans(context, op, input, site, {
    rows: slidingRanges(input.height, outHeight, op.options),
    columns: slidingRanges(input.width, outWidth, op.options),
    count: (rows, columns) => (countIncludePad ? kernelSize ** 2 : rows * columns),
  });
};

const buildAdaptiveAveragePool2d: Builder<"adaptiveAveragePool2d"> = (context, op, input, site) => {
  const { outputSize } = op.options;
  if (input.height === outputSize && input.width === outputSize) return passThrough(input, site);
  return buildMeans(context, op, input, site, {
    rows: adaptiveRanges(input.height, outputSize),
    columns: adaptiveRanges(input.width, outputSize),
    count: (rows, columns) => rows * columns,
  });
};

export const poolBuilders = {
  maxPool2d: buildMaxPool2d,
  averagePool2d: buildAveragePool2d,
  adaptiveAveragePool2d: buildAdaptiveAveragePool2d,
};
