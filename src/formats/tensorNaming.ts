/** Tensor names in other programs' files. All translation of names is here. */

import type { NamedShape } from "../checkpoint/safetensorsHeader.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { checkTensors, finiteSource } from "../checkpoint/tensorStore.ts";
import { type Network, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { sizeOf } from "../shape.ts";

/** A naming of tensors. */
export interface TensorNaming {
  /** Value of `--names`. */
  readonly name: string;
  readonly description: string;
  /** File names by the names in a program, such as `conv1.weight`. */
  of(network: Network): ReadonlyMap<string, string>;
}

/** Tensors named as they are in a program. */
export const layerNaming: TensorNaming = {
  name: "layers",
  description: "conv1.weight: by the layers' names",
  of: (network) => namesBy(network, (layer) => layer),
};

/** Every way, the checkpoints' own first. */
export const tensorNamings: readonly [TensorNaming, ...TensorNaming[]] = [
  {
    name: "torchvision",
    description: "features.0.weight, classifier.1.weight: like torchvision's AlexNet and this program's checkpoints",
    of: tensorNames,
  },
  layerNaming,
  {
    name: "sequential",
    description: "0.weight: by layer index in one nn.Sequential",
    of: (network) => namesBy(network, (_layer, place) => String(place)),
  },
];

function namesBy(network: Network, prefix: (layer: string, place: number) => string): ReadonlyMap<string, string> {
  return new Map(
    place(network).flatMap(({ layer, parameters }, i) =>
      parameters.map(({ name }) => [`${layer.name}.${name}`, `${prefix(layer.name, i)}.${name}`] as const),
    ),
  );
}

/** A checkpoint's tensors under other names. */
export function renamed(weights: TensorSource, network: Network, naming: TensorNaming): TensorSource {
  const theirs = naming.of(network);
  const ours = new Map([...tensorNames(network)].map(([key, name]) => [theirs.get(key) ?? name, name]));
  const back = new Map([...ours].map(([name, own]) => [own, name]));
  return {
    tensors: weights.tensors.map(({ name, shape }) => ({ name: back.get(name) ?? name, shape })),
    read: (name, into) => weights.read(ours.get(name) ?? name, into),
  };
}

/** Naming of a file's tensors. */
export interface NameMatch {
  readonly naming: TensorNaming;
  /** File names by checkpoint names. Tensors missing in the file have their expected name. */
  readonly names: ReadonlyMap<string, string>;
}

/** Counters of updates in `torch.optim.swa_utils.AveragedModel` and `nn.BatchNorm2d`, not weights. */
const counter = /(?:^|\.)(?:n_averaged|num_batches_tracked)$/;

/** A file's tensors without counters. */
function weightsAmong(tensors: readonly NamedShape[]): readonly NamedShape[] {
  return tensors.filter(({ name, shape }) => !counter.test(name) || sizeOf(shape) !== 1);
}

/** Prefixes added by PyTorch's wrappers for data parallelism and compilation. */
const wrappers = /(^|\.)(?:module|_orig_mod)\./g;

/**
 * Finds the naming that fits most of a file's names, ignoring a common prefix (`net.`, `model.`) and wrappers. Ambiguous tensors are not
 * guessed; `checkedWeights` reports missing and extra ones.
 */
export function matchNames(network: Network, tensors: readonly NamedShape[]): NameMatch {
  const own = tensorNames(network);
  const found = plainNames(weightsAmong(tensors).map(({ name }) => name));
  const matches = tensorNamings.map((naming) => {
    const theirs = naming.of(network);
    const names = new Map([...own].map(([key, name]) => [name, theirs.get(key) ?? name]));
    return { naming, names, count: [...names.values()].filter((name) => found.has(name)).length };
  });
  const best = matches.reduce((a, b) => (b.count > a.count ? b : a));
  const names = new Map([...best.names].map(([name, theirs]) => [name, found.get(theirs) ?? theirs]));
  return { naming: best.naming, names };
}

/** Maps names without wrappers and common prefix to the file's names. Names stay unchanged if two would become equal. */
function plainNames(names: readonly string[]): ReadonlyMap<string, string> {
  const unwrapped = names.map((name) => name.replaceAll(wrappers, "$1"));
  const distinct = new Set(unwrapped).size === names.length ? unwrapped : names;
  let start = 0;
  for (;;) {
    const [first = ""] = distinct;
    const end = first.indexOf(".", start) + 1;
    // The first part of a name such as `fc.weight` is the layer, not a common prefix.
    const isShared =
      end > 0 && first.indexOf(".", end) > 0 && distinct.every((name) => name.startsWith(first.slice(0, end)));
    if (!isShared) break;
    start = end;
  }
  return new Map(distinct.map((name, i) => [name.slice(start), names[i] as string]));
}

/**
 * A file's tensors under the checkpoint's names.
 *
 * Throws CheckpointError with a list, by the file's names, of every tensor that is missing, extra, or of another shape, before reading any.
 * Reading a tensor throws CheckpointError if a value is not finite.
 */
export function checkedWeights(path: string, weights: TensorSource, network: Network): TensorSource {
  const { names } = matchNames(network, weights.tensors);
  const own = tensorNames(network);
  const expected = place(network).flatMap(({ layer, parameters }) =>
    parameters.map(({ name, shape }) => ({ name: own.get(`${layer.name}.${name}`) as string, shape })),
  );
  const theirs = (name: string) => names.get(name) ?? name;
  checkTensors(
    path,
    weightsAmong(weights.tensors),
    expected.map(({ name, shape }) => ({ name: theirs(name), shape })),
  );
  const source = { tensors: expected, read: (name: string, into: Float32Array) => weights.read(theirs(name), into) };
  return finiteSource(path, source, theirs);
}
