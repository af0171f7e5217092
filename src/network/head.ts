/** Heads of models: the function from a network's outputs to class probabilities. */

import type { OpKind } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { headKinds, layerKinds } from "../layers/kinds.ts";
import type { Layer } from "../layers/layer.ts";
import type { Shape } from "../shape.ts";
import { type Network, place } from "./network.ts";

/** All heads. */
export const headNames = ["softmax", "sigmoid", "none"] as const;

/**
 * `softmax`: one class per image; outputs are logits. `sigmoid`: a single output is the logit of the second of two classes (binary); several outputs
 * are logits of independent classes (multi-label). `none`: outputs are other quantities, such as those of a regression.
 */
export type HeadName = (typeof headNames)[number];

/** Number of classes of a network with this head. */
export function classCount(head: HeadName, outputs: number): number {
  return head === "sigmoid" && outputs === 1 ? 2 : outputs;
}

/** True if each class has a probability of its own. */
export function isMultiLabel(head: HeadName, outputs: number): boolean {
  return head === "sigmoid" && outputs > 1;
}

/**
 * The network without a final layer that is a head; undefined if there is none, or no layer with parameters before it. Layers after it that pass
 * values through unchanged, such as `flatten`, are kept.
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

/** True for layers whose outputs are among their inputs: they commute with an increasing function of each value. */
function passesOn<K extends OpKind>(layer: Layer<K>, inputShape: Shape): boolean {
  return layerKinds[layer.kind].inInt8(layer, inputShape) === "kept";
}

/** Throws ConfigError, beginning with `origin`, for a head without class probabilities. */
export function requireProbabilities(head: HeadName, origin: string): void {
  if (head !== "none") return;
  throw new ConfigError(
    `${origin}: its head is "none", so its outputs are not class probabilities; write them with predict --features, or import the file again with another --head`,
  );
}

/** Throws ConfigError, beginning with `origin`, for softmax over a single output, which is always 1. */
export function requireClasses(head: HeadName, outputs: number, origin: string): void {
  if (head !== "softmax" || outputs > 1) return;
  throw new ConfigError(
    `${origin}: expected at least 2 outputs for the head softmax, got ${outputs}, whose softmax is always 1; export the network without its softmax and import it with --head sigmoid`,
  );
}
