/** The rule for the algorithm of a convolution: it depends only on the request, the library and the processor. */
import type { Op } from "../../engine.ts";
import type { ConvolutionAlgorithm } from "../configuredOneDnn.ts";
import { type Axis, outputSize, points, productsOf } from "./dftTables.ts";
import type { BuildContext } from "./op.ts";

/**
 * Cost of a multiplication in the transformed domain, and of the transform of the filters per product, in multiplications of direct convolution.
 * Measured on the layers of AlexNet and similar networks at batch 8 to 128, see docs/onednn.md.
 */
const COST_OF_PRODUCT = 1.4;
const COST_OF_FILTER = 48;

/**
 * Cost of a multiplication of direct convolution in bf16, relative to the steps of the transform, which are partly f32. Measured on an AMD processor of
 * the fifth generation, and on an Intel one that multiplies bf16 numbers at half the rate of f32 numbers.
 */
const COST_IN_BF16 = { faster: 0.55, slower: 1.25 } as const;

/**
 * Processors for which the costs are measured. With AMX, the transforms alone would take longer than direct convolution in bf16. Arm is not measured.
 */
const measured = { f32: /AVX2|AVX-512|AMX/, bf16: /AVX-512/ } as const;

/** Cost of a multiplication by Winograd's algorithm, including its copies. */
const COST_WITH_WINOGRAD = 0.75;

/**
 * Selects the algorithm of a convolution: direct if `exact` or for strides other than 1. Direct convolution includes Winograd's algorithm if
 * `hasWinograd`.
 */
export function convolutionAlgorithm(
  context: BuildContext,
  op: Op<"conv2d">,
  hasWinograd: boolean,
): ConvolutionAlgorithm {
  const { exact, algorithm, batchSize, instructionSet, isBf16Faster } = context;
  if (exact || op.options.stride !== 1) return "direct";
  if (algorithm) return algorithm;
  const format = context.format;
  const direct =
    costOfDirect(op, batchSize) *
    (format === "bf16" ? COST_IN_BF16[isBf16Faster ? "faster" : "slower"] : hasWinograd ? COST_WITH_WINOGRAD : 1);
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
  /** Cost of transforming one channel: vertically, then horizontally from two rows to three planes for each frequency. */
  const transforms = ([h, w]: readonly [number, number]) => rows * h * w + 3 * rows * points(width) * w;
  const perImage =
    pairs * products +
    channels * transforms([height.size, width.size]) +
    outChannels * transforms([outputSize(height), outputSize(width)]);
  return COST_OF_PRODUCT * batchSize * perImage + COST_OF_FILTER * COST_OF_PRODUCT * pairs * products;
}
