/** Torchvision's names for a network's tensors. */
import { type Network, place } from "./network.ts";

/**
 * Names of the network's tensors in a checkpoint, by their names in the program (`conv1.weight`), in torchvision's style: `features.<i>.weight` with
 * i counted from the first layer, `classifier.<j>.weight` with j counted from the layer after `flatten`. For `alexnet-owt` these are torchvision's
 * names.
 */
export function tensorNames(network: Network): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const placed = place(network);
  const firstFlat = placed.findIndex(({ outputShape }) => outputShape.length === 1);
  const features = firstFlat < 0 ? placed.length : firstFlat + 1;
  placed.forEach(({ layer, parameters }, i) => {
    const prefix = i < features ? `features.${i}` : `classifier.${i - features}`;
    for (const { name } of parameters) names.set(`${layer.name}.${name}`, `${prefix}.${name}`);
  });
  return names;
}
