/** Folds layers that only scale and shift channels at evaluation, such as batch normalization, into the weights of the layer before them. */
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { conv2d, layerKinds } from "../layers/kinds.ts";
import type { Affine, AnyLayer, Layer } from "../layers/layer.ts";
import { hasWeights } from "../learned.ts";
import { type Network, type PlacedLayer, parametersOf, place } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { composed, foldedAfter } from "./affine.ts";

/** The layers whose scales and shifts a layer takes, in order. `isNew` for one without weights of its own. */
interface Fold {
  readonly from: PlacedLayer[];
  readonly isNew: boolean;
}

/** True if `foldScales` changes a network. */
export function hasScales(network: Network): boolean {
  return network.layers.some(isScale);
}

/**
 * The same function of the images at evaluation, without layers that scale and shift: a layer with weights takes those after it; others become 1×1
 * convolutions of single channels, under their own names.
 */
export function foldedNetwork(network: Network): Network {
  return planFolds(network).network;
}

/** The weights of `foldedNetwork`; those given and those returned are named as in the network, such as `conv1.weight`. */
export function foldedWeights(network: Network, weights: TensorSource): TensorSource {
  const { network: folded, folds } = planFolds(network);
  const affines = new Map<string, Affine>();
  const affineOf = async (layer: string, { from }: Fold) => {
    let affine = affines.get(layer);
    if (affine) return affine;
    for (const one of from) affine = composed(affine, await readAffine(one, weights));
    if (!affine) throw new Error(`${layer}: nothing to fold`);
    affines.set(layer, affine);
    return affine;
  };
  return {
    tensors: parametersOf(folded),
    async read(name, into) {
      const end = name.lastIndexOf(".");
      const [layer, role] = [name.slice(0, end), name.slice(end + 1)];
      const fold = folds.get(layer);
      if (!fold) return weights.read(name, into);
      const affine = await affineOf(layer, fold);
      const { scale } = affine;
      // A weight does not depend on the bias, nor the bias on the weight.
      const other = new Float32Array(scale.length);
      const own = fold.isNew ? into.fill(role === "weight" ? 1 : 0) : await weights.read(name, into);
      const both = role === "weight" ? { weight: own, bias: other } : { weight: other, bias: own };
      own.set(foldedAfter(both, affine)[role === "weight" ? "weight" : "bias"]);
      return own;
    },
  };
}

function planFolds(network: Network): { readonly network: Network; readonly folds: ReadonlyMap<string, Fold> } {
  const layers: AnyLayer[] = [];
  const folds = new Map<string, Fold>();
  let canTake = false;
  for (const placed of place(network)) {
    const { layer, outputShape } = placed;
    if (!isScale(layer)) {
      layers.push(layer);
      canTake = hasWeights(placed);
      continue;
    }
    if (!canTake) {
      const [outChannels = 0] = outputShape;
      layers.push(conv2d(layer.name, { outChannels, kernelSize: 1, groups: outChannels }) as AnyLayer);
    }
    const taker = (layers.at(-1) as AnyLayer).name;
    const fold = folds.get(taker) ?? { from: [], isNew: !canTake };
    fold.from.push(placed);
    folds.set(taker, fold);
    canTake = true;
  }
  return { network: { ...network, layers }, folds };
}

function isScale({ kind }: AnyLayer): boolean {
  return layerKinds[kind].scaleAndShift !== undefined;
}

async function readAffine({ layer, parameters }: PlacedLayer, weights: TensorSource): Promise<Affine> {
  const tensors = new Map<string, Float32Array>();
  for (const { name, shape } of parameters) {
    const values = await weights.read(`${layer.name}.${name}`, new Float32Array(sizeOf(shape)));
    tensors.set(name, values.slice());
  }
  return affineOf(layer, tensors);
}

function affineOf<K extends AnyLayer["kind"]>(layer: Layer<K>, tensors: ReadonlyMap<string, Float32Array>): Affine {
  const affine = layerKinds[layer.kind].scaleAndShift?.(layer, tensors);
  if (!affine) throw new Error(`${layer.name}: does not scale and shift`);
  return affine;
}
