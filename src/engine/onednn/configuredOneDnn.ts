/** A loaded oneDNN with the settings of an engine. */
import type { OneDnn } from "./native/oneDnn.ts";

/** Pixel by pixel, or by the discrete Fourier transform. */
export type ConvolutionAlgorithm = "direct" | "dft";

/** A oneDNN that has been told on how many threads to compute. */
export interface ConfiguredOneDnn extends OneDnn {
  readonly threads: number;
  /** Algorithm of all convolutions that have it; by the rule if absent. */
  readonly convolution: ConvolutionAlgorithm | undefined;
}
