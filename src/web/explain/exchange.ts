/** Values that two devices exchange, if each computes half of the maps. */
import { layerKinds } from "../../layers/kinds.ts";
import type { Layer } from "../../layers/layer.ts";
import { hasWeights } from "../../learned.ts";
import type { PlacedLayer } from "../../network/network.ts";
import { sizeOf } from "../../shape.ts";

const DEVICES = 2;

/**
 * Values of one image that each device needs from the other for a layer's forward pass; training sends the same number of gradients back. 0 for the
 * first layer, since both devices have the image, and for layers without weights, which keep to the device's own maps.
 *
 * A layer of g groups reads, for a device's half of the outputs, the input maps of the groups in that half.
 */
export function exchangedValues(placed: PlacedLayer, isFirst: boolean): number {
  const { layer, inputShape, outputShape } = placed;
  if (isFirst || !hasWeights(placed)) return 0;
  const [channels = 0, ...extents] = inputShape;
  const [outputs = 0] = outputShape;
  const groups = groupsOf(layer, inputShape);
  // Groups that the first half of the outputs belongs to, and the input maps that they read beyond the first half.
  const half = Math.ceil(outputs / DEVICES);
  const lastGroup = Math.ceil((half * groups) / outputs);
  const readUpTo = (lastGroup * channels) / groups;
  const own = Math.ceil(channels / DEVICES);
  return Math.max(0, readUpTo - own) * sizeOf(extents);
}

function groupsOf<K extends Layer["kind"]>(layer: Layer<K>, inputShape: PlacedLayer["inputShape"]): number {
  return layerKinds[layer.kind].describe(layer, inputShape).groups ?? 1;
}
