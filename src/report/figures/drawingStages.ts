/** Stages of a network drawing: its blocks, their towers, and their connections. */
import { layerKinds } from "../../layers/kinds.ts";
import type { AnyLayer, Layer, LayerDescription, Reach } from "../../layers/layer.ts";
import { hasWeights } from "../../learned.ts";
import { type Network, type PlacedLayer, place } from "../../network/network.ts";
import { equalShapes, formatShape, type Shape } from "../../shape.ts";

/** One block. Each layer that learns or changes the shape has one; later layers that keep the shape are captions below it. */
export interface Stage {
  readonly name: string;
  /** Source of the values: the input image, learned weights, or an operation without weights. */
  readonly origin: "image" | "learned" | "derived";
  readonly shape: Shape;
  /** Number of towers the channels are divided into if layers see only their own group, like the paper's two devices. */
  readonly towers: number;
  /** Receptive field of one output in the stage before. */
  readonly reach: Reach | undefined;
  /** Groups of the connection to the stage before. With fewer groups than towers, the towers exchange data. */
  readonly groups: number;
  /** Caption lines below the block. */
  readonly captions: readonly string[];
}

/** More towers than this are drawn as one block, because they would be too thin. */
const MOST_TOWERS = 4;

/** Stages of a network, beginning with the image. */
export function stagesOf(network: Network): readonly Stage[] {
  const placed = place(network);
  const stages: Stage[] = [
    {
      name: "input",
      origin: "image",
      shape: network.input,
      towers: 1,
      reach: undefined,
      groups: 1,
      captions: [formatShape(network.input)],
    },
  ];
  placed.forEach((own, i) => {
    const before = stages.at(-1) as Stage;
    const description = describe(own.layer, own.inputShape);
    if (!hasWeights(own) && equalShapes(own.inputShape, own.outputShape)) {
      stages[stages.length - 1] = { ...before, captions: [...before.captions, description.label] };
      return;
    }
    stages.push(stageOf(own, description, before, placed.slice(i + 1)));
  });
  return stages;
}

function stageOf(
  own: PlacedLayer,
  description: LayerDescription,
  before: Stage,
  following: readonly PlacedLayer[],
): Stage {
  const { layer, inputShape, outputShape } = own;
  const learns = hasWeights(own);
  const isRow = outputShape.length < 3;
  const groups = isRow ? 1 : learns ? (description.groups ?? 1) : before.towers;
  const towers = isRow ? 1 : towersOf([groupsAfter(following), groups], outputShape);
  const seen = before.towers / Math.min(groups, before.towers);
  const { kernel, label, stride, padding } = description;
  const size =
    towers > 1 ? `${towers} × (${formatShape([(outputShape[0] ?? 0) / towers, ...outputShape.slice(1)])})` : "";
  return {
    name: layer.name,
    origin: learns ? "learned" : "derived",
    shape: outputShape,
    towers,
    reach: reachOf(layer, inputShape),
    groups,
    captions: [
      size || formatShape(outputShape),
      kernel || label,
      ...(stride === undefined ? [] : [`stride ${stride}`]),
      ...(padding ? [`padding ${padding}`] : []),
      ...((description.groups ?? 1) > 1 ? [`${description.groups} groups`] : []),
      ...(seen > 1 ? [`sees ${before.towers === 2 ? "both" : seen} towers`] : []),
    ],
  };
}

/** Groups of the next layer with weights, if all layers before it output feature maps. */
function groupsAfter(following: readonly PlacedLayer[]): number {
  const next = following.find((placed) => hasWeights(placed) || placed.outputShape.length < 3);
  return next ? (describe(next.layer, next.inputShape).groups ?? 1) : 1;
}

/** The largest number of towers that can be drawn. */
function towersOf(parts: readonly number[], [channels = 0]: Shape): number {
  return Math.max(1, ...parts.filter((towers) => towers <= MOST_TOWERS && channels % towers === 0));
}

/** Towers of the stage before that a tower sees, by having a group in common. */
export function towersSeen({ groups, towers }: Stage, tower: number, before: Stage): readonly number[] {
  const range = (index: number, of: number) => [
    Math.floor((index * groups) / of),
    Math.ceil(((index + 1) * groups) / of),
  ];
  const [from = 0, to = 0] = range(tower, towers);
  return Array.from({ length: before.towers }, (_, other) => other).filter((other) => {
    const [otherFrom = 0, otherTo = 0] = range(other, before.towers);
    return otherFrom < to && from < otherTo;
  });
}

function describe<K extends AnyLayer["kind"]>(layer: Layer<K>, inputShape: Shape): LayerDescription {
  return layerKinds[layer.kind].describe(layer, inputShape);
}

function reachOf<K extends AnyLayer["kind"]>(layer: Layer<K>, inputShape: Shape): Reach {
  return layerKinds[layer.kind].reach(layer, inputShape);
}
