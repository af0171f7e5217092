/** Receptive fields. */
import { layerKinds } from "../layers/kinds.ts";
import type { Layer, Reach } from "../layers/layer.ts";
import type { Network, PlacedLayer } from "./network.ts";

/** What one output of a layer sees of the network's input, in pixels, padding included: so it may be larger than the input. */
export interface ReceptiveField {
  readonly size: readonly [height: number, width: number];
  /** How far the fields of neighbouring outputs are apart; null where every output sees all of the input. */
  readonly stride: readonly [vertical: number, horizontal: number] | null;
}

/**
 * Of each layer: size ← size + (K − 1) · stride, then stride ← stride · S, with K the layer's window and S its stride.
 *
 * Source: Araujo, Norris, Sim 2019, “Computing receptive fields of convolutional neural networks”, equations 2 and 3.
 */
export function receptiveFields({ input }: Network, placed: readonly PlacedLayer[]): readonly ReceptiveField[] {
  let field: ReceptiveField = { size: [1, 1], stride: [1, 1] };
  return placed.map(({ layer, inputShape }) => {
    field = widened(field, reachOf(layer, inputShape), [input[1], input[2]]);
    return field;
  });
}

function reachOf<K extends Layer["kind"]>(layer: Layer<K>, inputShape: PlacedLayer["inputShape"]): Reach {
  return layerKinds[layer.kind].reach(layer, inputShape);
}

function widened({ size, stride }: ReceptiveField, reach: Reach, whole: ReceptiveField["size"]): ReceptiveField {
  if (stride === null || reach === "all") return { size: whole, stride: null };
  const [down, across] = reach;
  return {
    size: [size[0] + (down.kernelSize - 1) * stride[0], size[1] + (across.kernelSize - 1) * stride[1]],
    stride: [stride[0] * down.stride, stride[1] * across.stride],
  };
}
