/** Locally connected layer: kernels of its own for each output position. */
import { featureMap } from "../../../shape.ts";
import type { Op } from "../../engine.ts";
import { type Borders, extentsOf, type FeatureMap, noBorders, operand, padded } from "../featureMap.ts";
import { LANES } from "../kernels/kernel.ts";
import type { Layout } from "../weights.ts";
import { addRows, type BuildContext, type Builder, mapOf, withBorders } from "./op.ts";
import { windowBorders } from "./window.ts";

/** Zeros that the layer reads around its input. */
export function localBorders(op: Op<"localConv2d">): Borders {
  return windowBorders(op.options, op.inputShape, op.outputShape);
}

export const buildLocalConv2d: Builder<"localConv2d"> = (context, op, given, site) => {
  const { plan, kernels } = context;
  const borders = localBorders(op);
  const input = withBorders(context, given, borders);
  const output = mapOf(context, extentsOf(op.outputShape), site.outputBorders(1));
  const weight = context.parameter(op.name, "weight", kernelLayout(op, input.lanes));
  const bias = context.parameter(op.name, "bias", biasLayout(op));
  const work = "local convolution";
  const shared = (map: FeatureMap) => windowArguments(op, map);
  plan.add(work, kernels.localConvolution, {
    ...shared(input),
    ...operand("y", output),
    weight: weight.value,
    bias: bias.value,
  });
  return {
    output,
    covers: 1,
    gradientBorders: noBorders,
    backward(gradient) {
      if (weight.gradient !== undefined && bias.gradient !== undefined) {
        plan.enter(op.name, "backwardWeights");
        const ends = { ...shared(input), ...operand("y", gradient) };
        plan.add(work, kernels.localWeightGradient, { ...ends, weight: weight.gradient, bias: bias.gradient });
        plan.enter(op.name, "backwardData");
      }
      if (!site.needsInputGradient) return undefined;
      const sums = mapOf(context, given, borders, input.lanes);
      plan.add(work, kernels.localInputGradient, {
        ...shared(sums),
        ...operand("y", gradient),
        ...{ weight: weight.value, bias: bias.value },
        map: { ...sums.place, offset: 0 },
        mapImage: sums.imageBytes,
      });
      return withoutSums(context, sums, site.inputGradientBorders);
    },
  };
};

/** A copy with given borders: those of the sums hold the gradient of the padding. */
function withoutSums(context: BuildContext, sums: FeatureMap, borders: Borders): FeatureMap {
  const map = mapOf(context, sums, borders, sums.lanes);
  addRows(context, "copy", context.kernels.copy, { x: sums, y: map });
  return map;
}

function windowArguments({ options, outputShape }: Op<"localConv2d">, map: FeatureMap) {
  const { kernelSize, stride, padding } = options;
  const { place, imageBytes, rowBytes, pixelBytes } = map;
  const { channels, height, width } = extentsOf(outputShape);
  return {
    x: { ...place, offset: place.offset - padding * (rowBytes + pixelBytes) },
    xImage: imageBytes,
    xRow: stride * rowBytes,
    xPixel: stride * pixelBytes,
    xWindowRow: rowBytes,
    rows: height,
    columns: width,
    panels: padded(channels) / LANES,
    windowRows: kernelSize,
    runBytes: kernelSize * pixelBytes,
  };
}

/** Kernels as [position][outputs / 8][tap][lanes][8 outputs]; plain: [output, position, channel, tap]. */
function kernelLayout({ name, options, inputShape, outputShape }: Op<"localConv2d">, lanes: number): Layout {
  const taps = options.kernelSize ** 2;
  const [channels] = featureMap(name, inputShape);
  const [outputs, height, width] = featureMap(name, outputShape);
  const positions = height * width;
  const panels = padded(outputs) / LANES;
  const panelLength = taps * lanes * LANES;
  return {
    length: positions * panels * panelLength,
    key: `local kernels ${[outputs, positions, channels, taps, lanes].join()}`,
    forEachRun(move) {
      for (let row = 0; row < outputs * positions; row++) {
        const [o, position] = [Math.floor(row / positions), row % positions];
        const panel = (position * panels + Math.floor(o / LANES)) * panelLength + (o % LANES);
        for (let c = 0; c < channels; c++) {
          move((row * channels + c) * taps, panel + c * LANES, lanes * LANES, taps);
        }
      }
    },
  };
}

/** Biases as [position][outputs in whole panels]; plain: [output, position]. */
function biasLayout({ name, outputShape }: Op<"localConv2d">): Layout {
  const [outputs, height, width] = featureMap(name, outputShape);
  const positions = height * width;
  return {
    length: positions * padded(outputs),
    key: `local biases ${[outputs, positions].join()}`,
    forEachRun(move) {
      for (let o = 0; o < outputs; o++) move(o * positions, o, padded(outputs), positions);
    },
  };
}
