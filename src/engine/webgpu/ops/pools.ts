/** Pooling: maximum, average, adaptive average. */

import type { Op } from "../../engine.ts";
import {
  adaptiveAxes,
  maxBackward,
  maxForward,
  meanBackward,
  meanForward,
  type Pooling,
  type Sliding,
  slidingAxes,
} from "../kernels/pools.ts";
import { isFused } from "./activations.ts";
import {
  addElements,
  addGradient,
  type BuildContext,
  type Builder,
  type Built,
  extentsOf,
  type FeatureMap,
  mapOf,
  passThrough,
  read,
  sizeOfMap,
  write,
} from "./op.ts";

function poolingOf({ outputShape }: Pick<Op, "outputShape">, { channels, height, width }: FeatureMap): Pooling {
  const out = extentsOf(outputShape);
  return { channels, height, width, outHeight: out.height, outWidth: out.width };
}

function slidingOf(op: Op<"maxPool2d" | "averagePool2d">, input: FeatureMap): Sliding {
  const { kernelSize, stride, padding } = op.options;
  return { ...poolingOf(op, input), kernelSize, stride, padding };
}

const buildMaxPool2d: Builder<"maxPool2d"> = (context, op, input, { next, needsInputGradient }) => {
  const relu = isFused(next);
  const sliding = slidingOf(op, input);
  const output = mapOf(context, extentsOf(op.outputShape), relu);
  const training = context.training && needsInputGradient;
  const places = context.plan.buffer(training ? output.buffer.bytes : 0);
  const kept = training ? [write("places", places, "u32")] : [];
  addElements(context, "pooling", [read("xs", input.buffer), write("ys", output.buffer), ...kept], {
    each: sizeOfMap(output),
    body: maxForward(sliding, { relu, training }),
  });
  return {
    output,
    covers: relu ? 2 : 1,
    backward: (gradient) =>
      addGradient(context, "pooling", input, [read("places", places, "u32"), read("dy", gradient.buffer)], {
        body: maxBackward(sliding),
      }),
  };
};

/** Adds means over windows, of sums that are divided by a fixed number if it is given. */
function addMean(
  context: BuildContext,
  input: FeatureMap,
  pooling: Pooling,
  axes: ReturnType<typeof slidingAxes>,
  fixed?: number,
): Built {
  const { channels, outHeight: height, outWidth: width } = pooling;
  const output = mapOf(context, { channels, height, width });
  addElements(context, "pooling", [read("xs", input.buffer), write("ys", output.buffer)], {
    each: sizeOfMap(output),
    body: meanForward(pooling, axes, fixed),
  });
  return {
    output,
    covers: 1,
    backward: (gradient) =>
      addGradient(context, "pooling", input, [read("dy", gradient.buffer)], {
        body: meanBackward(pooling, axes, fixed),
      }),
  };
}

const buildAveragePool2d: Builder<"averagePool2d"> = (context, op, input) => {
  const sliding = slidingOf(op, input);
  const fixed = op.options.countIncludePad ? sliding.kernelSize ** 2 : undefined;
  return addMean(context, input, sliding, slidingAxes(sliding), fixed);
};

const buildAdaptiveAveragePool2d: Builder<"adaptiveAveragePool2d"> = (context, op, input) => {
  const pooling = poolingOf(op, input);
  // Windows of one pixel: the map itself.
  if (pooling.height === pooling.outHeight && pooling.width === pooling.outWidth) return passThrough(input);
  return addMean(context, input, pooling, adaptiveAxes(pooling));
};

export const poolBuilders = {
  maxPool2d: buildMaxPool2d,
  averagePool2d: buildAveragePool2d,
  adaptiveAveragePool2d: buildAdaptiveAveragePool2d,
};
