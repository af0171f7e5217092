/** A network read from another program's file, and its view as a weights file. */
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { HeadName } from "../network/head.ts";
import { type Network, place } from "../network/network.ts";
import type { FinishedChain } from "./chainBuilder.ts";
import type { Assumptions, ModelFile } from "./format.ts";

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
  /** Divisor of the outputs before the head. */
  readonly temperature?: number;
  /** Minimum probability of each class, see `Model`. */
  readonly thresholds?: readonly number[];
  readonly preprocessing?: Preprocessing;
  /** Assumptions in place of facts that the file does not state, by the option of an import that states the fact. */
  readonly assumptions?: Assumptions;
  /** Program that wrote the file, as stated in it. */
  readonly producer: string;
}

/** Combines a finished chain and the file's other facts into an imported model. */
export function importedModel(
  { network, tensors, head, assumptions }: FinishedChain,
  metadata: Omit<ImportedMetadata, "endsInSoftmax" | "head">,
): ImportedModel {
  const facts = { endsInSoftmax: head === "softmax", ...(head && { head }), ...(assumptions && { assumptions }) };
  return { network, tensors, metadata: { ...facts, ...metadata } };
}

/** The model as a file with the network's tensor names, such as `conv1.weight`. */
export function importedFile(path: string, { network, tensors, metadata }: ImportedModel): ModelFile {
  const shapes = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: `${layer.name}.${name}`, shape })),
  );
  const { classNames, temperature, thresholds, preprocessing, head, assumptions } = metadata;
  return {
    path,
    network,
    head,
    assumptions,
    classNames,
    temperature,
    thresholds,
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
