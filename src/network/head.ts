/** A model's head: the step from a network's outputs to class probabilities. */

import type { OpKind } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { headKinds, layerKinds } from "../layers/kinds.ts";
import type { Layer } from "../layers/layer.ts";
import type { Shape } from "../shape.ts";
import { type Network, place } from "./network.ts";

/** Every head. */
export const headNames = ["softmax", "sigmoid", "none"] as const;

/**
 * `softmax`: one class per image, the outputs are logits. `sigmoid`: one output is the logit of the second of two classes (binary); several outputs are
 * the logits of independent classes (multi-label). `none`: the outputs are numbers of another kind, such as those of a regression.
 */
export type HeadName = (typeof headNames)[number];

/** Number of classes that a network tells apart with a head. */
export function classCount(head: HeadName, outputs: number): number {
  return head === "sigmoid" && outputs === 1 ? 2 : outputs;
}

/** True if every class has a probability of its own. */
export function isMultiLabel(head: HeadName, outputs: number): boolean {
  return head === "sigmoid" && outputs > 1;
}

/**
 * The network without the layer at its end that is a head; undefined if there is none, or nothing that learns stands before it. Layers after it that
 * pass on values as they are, such as `flatten`, stay.
 */
export function withoutHeadLayer(network: Network): { readonly network: Network; readonly head: HeadName } | undefined {
  const placed = place(network);
  const end = placed.findLastIndex(
    ({ layer, inputShape, randomness }) => randomness === "always" || !passesOn(layer, inputShape),
  );
  const last = placed[end]?.layer;
  const head = last && headKinds.get(last.kind);
  const isFlat = placed.at(-1)?.outputShape.length === 1;
  if (!head || !isFlat || !placed.slice(0, end).some(({ parameters }) => parameters.length > 0)) return undefined;
  return { network: { ...network, layers: network.layers.toSpliced(end, 1) }, head };
}

/** True for layers whose outputs are among their inputs: they may as well stand before a function of each value that never decreases. */
function passesOn<K extends OpKind>(layer: Layer<K>, inputShape: Shape): boolean {
  return layerKinds[layer.kind].inInt8(layer, inputShape) === "kept";
}

/** Throws ConfigError, beginning with `origin`, for a head without class probabilities. */
export function requireProbabilities(head: HeadName, origin: string): void {
  if (head !== "none") return;
  throw new ConfigError(
    `${origin}: its head is "none", so its outputs are no class probabilities; write them with predict --features, or import it again with another --head`,
  );
}

/** Throws ConfigError, beginning with `origin`, for a softmax over one output, which is 1 whatever that is. */
export function requireClasses(head: HeadName, outputs: number, origin: string): void {
  if (head !== "softmax" || outputs > 1) return;
  throw new ConfigError(
    `${origin}: expected at least 2 outputs for the head softmax, got ${outputs}, whose softmax is always 1; export the network without its softmax and import it with --head sigmoid`,
  );
}
