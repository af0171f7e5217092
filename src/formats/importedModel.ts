/** A network read from another program's file, and that file as a file of weights. */
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { type Network, place } from "../network/network.ts";
import type { ModelFile } from "./format.ts";

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

/** Its tensors have the names that they have here, such as `conv1.weight`. */
export function importedFile(path: string, { network, tensors, metadata }: ImportedModel): ModelFile {
  const shapes = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape })),
  );
  const { classNames, preprocessing } = metadata;
  return {
    path,
    network,
    classNames,
    preprocessing,
    weights: {
      tensors: shapes,
      async read(name, into) {
        into.set(tensors.get(name) as Float32Array);
        return into;
      },
    },
    close: async () => {},
  };
}
