/** A network read from another program's file, and that file as a file of weights. */
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { HeadName } from "../network/head.ts";
import { type Network, place } from "../network/network.ts";
import type { FinishedChain } from "./chainBuilder.ts";
import type { ModelFile } from "./format.ts";

/** A model read from a file of another program. */
export interface ImportedModel {
  /** `deviations` says what was written in another way here than in the file. */
  readonly network: Network;
  /** Plain values of every parameter of the network, by its name, such as `conv1.weight`; views of the file where they can be. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly metadata: ImportedMetadata;
}

/** Everything that a file says besides its network and weights. */
export interface ImportedMetadata {
  /** True if the file's network ends in a softmax, which is no layer here: probabilities are the softmax of the output. */
  readonly endsInSoftmax: boolean;
  /** The head that the file says: a softmax or sigmoid at its end, which is no layer here. Undefined if the file ends in a layer. */
  readonly head?: HeadName;
  readonly classNames?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Which program wrote the file, in its own words. */
  readonly producer: string;
}

/** A finished chain, and what else its file says, as an imported model. */
export function importedModel(
  { network, tensors, head }: FinishedChain,
  metadata: Omit<ImportedMetadata, "endsInSoftmax" | "head">,
): ImportedModel {
  return { network, tensors, metadata: { endsInSoftmax: head === "softmax", ...(head && { head }), ...metadata } };
}

/** Its tensors have the names that they have here, such as `conv1.weight`. */
export function importedFile(path: string, { network, tensors, metadata }: ImportedModel): ModelFile {
  const shapes = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape })),
  );
  const { classNames, preprocessing, head } = metadata;
  return {
    path,
    network,
    head,
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
