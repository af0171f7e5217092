/** A network that was read from another program's file. */
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { Network } from "../network/network.ts";

export interface ImportedModel {
  /** `deviations` says what was written in another way here than in the file. */
  readonly network: Network;
  /** Plain values of every parameter of the network, by its name, such as `conv1.weight`; views of the file where they can be. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly metadata: ImportedMetadata;
}

/** What else the file told. */
export interface ImportedMetadata {
  /** Whether the file's network ends in a softmax, which networks here leave to the loss: probabilities are the softmax of the output. */
  readonly endsInSoftmax: boolean;
  readonly classNames?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Which program wrote the file, in its own words. */
  readonly producer: string;
}
