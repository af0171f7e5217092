/** Layers of a run's network that are initialized from a file, frozen and trained. */
import { ConfigError } from "../errors.ts";
import { learned } from "../learned.ts";
import type { HeadName } from "../network/head.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import type { FineTuning } from "../settings/fineTuning.ts";
import { frozenLayers, type InitFrom } from "../settings/initFrom.ts";
import type { TuningPlan } from "../settings/resolve.ts";
import { equalShapes, type Shape } from "../shape.ts";
import type { Recipe } from "../training/recipe.ts";

/** Throws ConfigError if no layer fits, or if the layers to freeze are unknown, have new weights, or are all layers with weights. */
export function planFineTuning(
  plan: TuningPlan,
  network: Network,
  classNames: readonly string[],
  head?: HeadName,
): FineTuning {
  const { oldLayersRate } = plan;
  const { from, file, checksum } = plan.from;
  const { taken, fresh } = matchLayers(network, classNames, plan.from, head);
  const frozen = frozenLayers(network, plan.freeze);
  refuseToFreeze(network, frozen, taken);
  const keptViews = viewsOf(network, frozen, plan);
  return { from, file, checksum, taken: [...taken], fresh: [...fresh], frozen, oldLayersRate, keptViews };
}

function refuseToFreeze(network: Network, frozen: readonly string[], taken: readonly string[]): void {
  const fresh = frozen.filter((name) => !taken.includes(name));
  if (fresh.length > 0) {
    throw new ConfigError(`--freeze: ${fresh.join(", ")}: the file has no weights that fit; remove them from --freeze`);
  }
  const trained = place(network).filter(({ layer }) => !frozen.includes(layer.name));
  if (!trained.some(({ parameters }) => learned(parameters).length > 0)) {
    throw new ConfigError(
      `--freeze: all layers of ${network.name} with weights are frozen; leave at least one to train`,
    );
  }
}

function viewsOf(network: Network, frozen: readonly string[], { keptViews, augment }: TuningPlan): number {
  if (keptViews === 1 && augment.length > 0) {
    throw new ConfigError(
      `--augment ${augment.join(",")}: expected --kept-views 0 or more than 1, got 1, the view of evaluation, which has no augmentation`,
    );
  }
  if (keptLayers(network, frozen) > 0) return keptViews ?? (augment.length > 0 ? 0 : 1);
  if (!keptViews) return 0;
  throw new ConfigError(
    "--kept-views: expected frozen layers at the start of the network; freeze the first ones, such as --freeze conv",
  );
}

/**
 * Number of layers at the start of a network that are neither trained nor random, so that their output can be cached. 0 if none of them has
 * weights.
 */
export function keptLayers(network: Network, frozen: readonly string[]): number {
  const placed = place(network);
  const learns = ({ parameters }: (typeof placed)[number]) => parameters.length > 0;
  const end = placed.findIndex(
    (each) => (learns(each) && !frozen.includes(each.layer.name)) || each.randomness !== "never",
  );
  return placed.slice(0, end).some(learns) ? end : 0;
}

/** The optimizer's recipe: with the factors of layers initialized from the file, without those of layers that are not trained. */
export function trainedRecipe(recipe: Recipe, network: Network, tuning: FineTuning | undefined): Recipe {
  if (!tuning) return recipe;
  const { taken, frozen, oldLayersRate } = tuning;
  const isOf = (layers: readonly string[], tensor: string) => layers.includes(tensor.slice(0, tensor.lastIndexOf(".")));
  const old = place(network)
    .flatMap(({ layer, parameters }) => learned(parameters).map(({ name }) => [`${layer.name}.${name}`, name] as const))
    .filter(([tensor]) => isOf(taken, tensor))
    .map(([tensor, role]) => {
      const own = recipe.multipliers[tensor] ?? recipe.multipliers[role] ?? { learningRate: 1, weightDecay: 1 };
      return [tensor, { ...own, learningRate: own.learningRate * oldLayersRate }] as const;
    });
  const all = { ...recipe.multipliers, ...Object.fromEntries(old) };
  return { ...recipe, multipliers: Object.fromEntries(Object.entries(all).filter(([key]) => !isOf(frozen, key))) };
}

/** Layers of a network that a file has weights for, and the others. */
export interface LayerMatch {
  readonly taken: readonly string[];
  readonly fresh: readonly { readonly layer: string; readonly reason: string }[];
}

/**
 * Takes a layer if the file has all its tensors, by name and shape; the last layer only if the head and the classes are also the same.
 *
 * Throws ConfigError, with the reasons, if no layer can be taken.
 */
export function matchLayers(
  network: Network,
  classNames: readonly string[],
  initFrom: InitFrom,
  head: HeadName = "softmax",
): LayerMatch {
  const learning = place(network).filter(({ parameters }) => parameters.length > 0);
  const taken: string[] = [];
  const fresh: { layer: string; reason: string }[] = [];
  for (const [i, placed] of learning.entries()) {
    const isHead = i === learning.length - 1;
    const { name } = placed.layer;
    const reason = whyNew(placed, initFrom) ?? (isHead ? otherAnswers(classNames, head, initFrom.model) : undefined);
    if (reason === undefined) taken.push(name);
    else fresh.push({ layer: name, reason });
  }
  if (taken.length > 0) return { taken, fresh };
  const reasons = fresh.map(({ layer, reason }) => `\n  ${layer}: ${reason}`).join("");
  throw new ConfigError(
    `${initFrom.file}: expected weights for some layers of ${network.name}, but none fits; choose the weights' own network (${initFrom.model.network.name}), or other weights:${reasons}`,
  );
}

function whyNew({ layer, parameters }: PlacedLayer, { shapes }: InitFrom): string | undefined {
  const reasons = parameters.flatMap(({ name, shape }) => {
    const stored = shapes.get(`${layer.name}.${name}`);
    if (!stored) return [`no ${name} in the file`];
    const list = (extents: Shape) => `[${extents.join(", ")}]`;
    return equalShapes(stored, shape) ? [] : [`${name} ${list(shape)} here, ${list(stored)} in the file`];
  });
  return reasons.length > 0 ? reasons.join("; ") : undefined;
}

/** The reason not to take the last layer; undefined if there is none. */
function otherAnswers(
  here: readonly string[],
  wanted: HeadName,
  { classNames, head = "softmax" }: InitFrom["model"],
): string | undefined {
  if (head !== wanted) return `its head is ${head}, not ${wanted}`;
  return here.every((name, i) => name === classNames[i]) ? undefined : "other classes";
}
