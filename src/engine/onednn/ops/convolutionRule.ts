/** The rule for the algorithm of a convolution: it depends on nothing but the request, the library and the processor. */
import type { Op } from "../../engine.ts";
import type { ConvolutionAlgorithm } from "../configuredOneDnn.ts";
import { type Axis, outputSize, points, productsOf } from "./dftTables.ts";
import { type BuildContext, realFormat } from "./op.ts";

/**
 * What a multiplication costs when the transform takes it, and what the transform of the filters costs for each of their products, in multiplications
 * of direct convolution. Measured on the layers of AlexNet and its relatives at batch 8 to 128, see docs/onednn.md.
 */
const COST_OF_PRODUCT = 1.4;
const COST_OF_FILTER = 48;

/** What a multiplication of direct convolution costs in bf16; transforms are f32 all the same. */
const COST_IN_BF16 = 0.55;

/**
 * Processors that the costs hold for. AMX multiplies bf16 numbers so fast that the transforms alone would take longer than direct convolution; Arm was not
 * measured.
 */
const measured = { f32: /AVX2|AVX-512|AMX/, bf16: /AVX-512/ } as const;

/** What a multiplication of direct convolution costs where the library has Winograd's algorithm instead, its copies included. */
const COST_WITH_WINOGRAD = 0.75;

/**
 * The algorithm of a convolution: `exact` keeps to the direct one, and other strides than 1 have no other. Direct convolution includes Winograd's
 * algorithm, if `hasWinograd`.
 */
export function convolutionAlgorithm(
  context: BuildContext,
  op: Op<"conv2d">,
  hasWinograd: boolean,
): ConvolutionAlgorithm {
  const { exact, algorithm, batchSize, instructionSet } = context;
  if (exact || op.options.stride !== 1) return "direct";
  if (algorithm) return algorithm;
  const format = realFormat(context);
  const direct =
    costOfDirect(op, batchSize) * (format === "bf16" ? COST_IN_BF16 : hasWinograd ? COST_WITH_WINOGRAD : 1);
  return measured[format].test(instructionSet) && costOfDft(op, batchSize) < direct ? "dft" : "direct";
}

const axesOf = ({ inputShape, options }: Op<"conv2d">): readonly [height: Axis, width: Axis] => {
  const [, height = 0, width = 0] = inputShape;
  return [
    { ...options, size: height },
    { ...options, size: width },
  ];
};

function channelsOf({ inputShape, options }: Op<"conv2d">) {
  const { outChannels, groups } = options;
  const [channels = 0] = inputShape;
  return { channels, outChannels, pairs: (channels * outChannels) / groups };
}

function costOfDirect(op: Op<"conv2d">, batchSize: number): number {
  const [height, width] = axesOf(op);
  return batchSize * channelsOf(op).pairs * op.options.kernelSize ** 2 * outputSize(height) * outputSize(width);
}

function costOfDft(op: Op<"conv2d">, batchSize: number): number {
  const [height, width] = axesOf(op);
  const { channels, outChannels, pairs } = channelsOf(op);
  const products = productsOf(height, width);
  const rows = points(height);
  /** Of a map of a channel: vertical, then horizontal from two rows to three planes for each frequency. */
  const transforms = ([h, w]: readonly [number, number]) => rows * h * w + 3 * rows * points(width) * w;
  const perImage =
    pairs * products +
    channels * transforms([height.size, width.size]) +
    outChannels * transforms([outputSize(height), outputSize(width)]);
  return COST_OF_PRODUCT * batchSize * perImage + COST_OF_FILTER * COST_OF_PRODUCT * pairs * products;
}
