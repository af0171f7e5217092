/** A loaded oneDNN with the settings of an engine. */
import type { OneDnn } from "./native/oneDnn.ts";

/** Algorithm of a convolution; `dft` is the discrete Fourier transform. */
export type ConvolutionAlgorithm = "direct" | "dft";

/** A loaded oneDNN with a number of threads. */
export interface ConfiguredOneDnn extends OneDnn {
  readonly threads: number;
  /** True if products of bf16 numbers are faster than those of f32 numbers. */
  readonly isBf16Faster: boolean;
  /** Algorithm of all convolutions that support it; chosen by the rule if absent. */
  readonly convolution: ConvolutionAlgorithm | undefined;
}
