/** Receptive fields of neurons, as rectangles of the network's input. */

import { layerKinds } from "../layers/kinds.ts";
import type { Layer, LayerDescription, Reach } from "../layers/layer.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import type { Shape } from "../shape.ts";

/** A rectangle in pixels of the input; the ends are exclusive. */
export interface Field {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** The part of the input that an output of a layer depends on, cut to the image. */
export function fieldOf(network: Network, layer: string, [y, x]: readonly [number, number]): Field {
  const [, height, width] = network.input;
  const placed = place(network);
  const end = placed.findIndex((each) => each.layer.name === layer);
  let rows: readonly [number, number] = [y, y];
  let columns: readonly [number, number] = [x, x];
  for (const { layer: own, inputShape } of placed.slice(0, end + 1).reverse()) {
    const reach = reachOf(own, inputShape);
    if (reach === "all") return { top: 0, left: 0, bottom: height, right: width };
    rows = widened(rows, reach[0]);
    columns = widened(columns, reach[1]);
  }
  return {
    top: Math.max(0, rows[0]),
    left: Math.max(0, columns[0]),
    bottom: Math.min(height, rows[1] + 1),
    right: Math.min(width, columns[1] + 1),
  };
}

type Window = Exclude<Reach, "all">[number];

/** First and last index of the input that a range of outputs reads. */
function widened([first, last]: readonly [number, number], { kernelSize, stride, padding }: Window) {
  return [first * stride - padding, last * stride - padding + kernelSize - 1] as const;
}

function reachOf<K extends Layer["kind"]>(layer: Layer<K>, inputShape: PlacedLayer["inputShape"]): Reach {
  return layerKinds[layer.kind].reach(layer, inputShape);
}

/** Description of a layer for its input. */
export function describeLayer<K extends Layer["kind"]>(layer: Layer<K>, inputShape: Shape): LayerDescription {
  return layerKinds[layer.kind].describe(layer, inputShape);
}
