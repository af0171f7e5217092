/** A network read from another program's file, and its view as a weights file. */
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { HeadName } from "../network/head.ts";
import { type Network, place } from "../network/network.ts";
import type { FinishedChain } from "./chainBuilder.ts";
import type { ModelFile } from "./format.ts";

/** A model read from a file of another program. */
export interface ImportedModel {
  /** `deviations` records every difference from the file. */
  readonly network: Network;
  /** Values of every parameter by its name in the network, such as `conv1.weight`; views of the file if possible. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly metadata: ImportedMetadata;
}

/** Facts of a file besides its network and weights. */
export interface ImportedMetadata {
  /** True if the file's network ends in a softmax, which is no layer here: probabilities are the softmax of the output. */
  readonly endsInSoftmax: boolean;
  /** The softmax or sigmoid at the file's end, which is not a layer. Undefined if the file ends in a layer. */
  readonly head?: HeadName;
  readonly classNames?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Program that wrote the file, as stated in it. */
  readonly producer: string;
}

/** Combines a finished chain and the file's other facts into an imported model. */
export function importedModel(
  { network, tensors, head }: FinishedChain,
  metadata: Omit<ImportedMetadata, "endsInSoftmax" | "head">,
): ImportedModel {
  return { network, tensors, metadata: { endsInSoftmax: head === "softmax", ...(head && { head }), ...metadata } };
}

/** The model as a file with the network's tensor names, such as `conv1.weight`. */
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
