/** From settings to what of a network is taken, frozen and trained. */
import { ConfigError } from "../errors.ts";
import { type Network, place } from "../network/network.ts";
import type { FineTuning } from "../settings/fineTuning.ts";
import type { Recipe } from "../training/recipe.ts";
import { matchLayers, type Origin } from "./initFrom.ts";

/** What is said about fine-tuning. */
export interface FineTuneSettings {
  /** A run directory (its best weights) or a weights file to begin with. Network and preprocessing are the file's unless told otherwise. */
  readonly from?: string;
  /** Layers that are not trained: names, `conv` for all that learn before the first fully connected one, `none`. Default `none`. */
  readonly freeze?: readonly string[];
  /** Factor on the learning rate of layers that are taken and trained. Default 0.1. Source: BVLC Caffe, fine-tuning CaffeNet for style recognition. */
  readonly oldLayersRate?: number;
  /**
   * Of how many views of each training picture the output of frozen layers is kept: 1 for that of evaluation, more for random ones, 0 to compute
   * it in every step. Default 1; 0 where `augment` names changes.
   */
  readonly keptViews?: number;
}

const OLD_LAYERS_RATE = 0.1;

/** Throws ConfigError for settings that mean nothing without weights to begin with. */
export function refuseWithoutOrigin({ from, freeze, oldLayersRate, keptViews }: FineTuneSettings): void {
  if (from !== undefined) return;
  const given = Object.entries({ "--freeze": freeze, "--old-layers-rate": oldLayersRate, "--kept-views": keptViews });
  const [flag] = given.find(([, value]) => value !== undefined) ?? [];
  if (flag) throw new ConfigError(`${flag}: expected weights to begin with; give them with --from`);
}

/** Throws ConfigError if no layer fits, or layers to be frozen are not there, have new weights, or are all there are. */
export function planFineTuning(
  origin: Origin,
  network: Network,
  classNames: readonly string[],
  settings: FineTuneSettings & { readonly augment?: readonly string[] },
): FineTuning {
  const { taken, fresh } = matchLayers(network, classNames, origin);
  const frozen = frozenLayers(network, settings.freeze ?? []);
  refuseToFreeze(network, frozen, taken);
  const oldLayersRate = settings.oldLayersRate ?? OLD_LAYERS_RATE;
  const keptViews = viewsOf(network, frozen, settings);
  const { from, file, checksum } = origin;
  return { from, file, checksum, taken: [...taken], fresh: [...fresh], frozen, oldLayersRate, keptViews };
}

/** The layers with weights that are meant. Throws ConfigError for a name that no layer has. */
export function frozenLayers(network: Network, names: readonly string[]): string[] {
  const placed = place(network);
  const learning = placed.filter(({ parameters }) => parameters.length > 0).map(({ layer }) => layer.name);
  const firstFlat = placed.findIndex(({ outputShape }) => outputShape.length === 1);
  const convolutional = placed.slice(0, firstFlat).map(({ layer }) => layer.name);
  const wanted = names.flatMap((name) => {
    if (name === "none") return [];
    return name === "conv" && !learning.includes(name) ? convolutional : [name];
  });
  const unknown = wanted.find((name) => !placed.some(({ layer }) => layer.name === name));
  if (unknown !== undefined) {
    throw new ConfigError(
      `--freeze: no layer "${unknown}" in ${network.name}; expected conv, none or some of ${learning.join(", ")}`,
    );
  }
  return learning.filter((name) => wanted.includes(name));
}

function refuseToFreeze(network: Network, frozen: readonly string[], taken: readonly string[]): void {
  const fresh = frozen.filter((name) => !taken.includes(name));
  if (fresh.length > 0) {
    throw new ConfigError(
      `--freeze: ${fresh.join(", ")}: expected weights of the file, but it has none that fit; leave out what begins anew`,
    );
  }
  const learning = place(network).filter(({ parameters }) => parameters.length > 0);
  if (frozen.length === learning.length) {
    throw new ConfigError(`--freeze: all layers of ${network.name} that learn are frozen; leave one to be trained`);
  }
}

function viewsOf(
  network: Network,
  frozen: readonly string[],
  { keptViews, augment = [] }: { readonly keptViews?: number; readonly augment?: readonly string[] },
): number {
  if (keptViews === 1 && augment.length > 0) {
    throw new ConfigError(
      `--augment ${augment.join(",")}: expected --kept-views 0 or more than 1, got 1, the view of evaluation, in which nothing is random`,
    );
  }
  if (keptLayers(network, frozen) > 0) return keptViews ?? (augment.length > 0 ? 0 : 1);
  if (!keptViews) return 0;
  throw new ConfigError(
    "--kept-views: expected frozen layers before all that are trained; freeze the first ones, such as --freeze conv",
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

/** The recipe as the optimizer needs it: old layers with their factors, and none for layers that are not trained. */
export function trainedRecipe(recipe: Recipe, network: Network, tuning: FineTuning | undefined): Recipe {
  if (!tuning) return recipe;
  const { taken, frozen, oldLayersRate } = tuning;
  const isOf = (layers: readonly string[], tensor: string) => layers.includes(tensor.slice(0, tensor.lastIndexOf(".")));
  const old = place(network)
    .flatMap(({ layer, parameters }) => parameters.map(({ name }) => [`${layer.name}.${name}`, name] as const))
    .filter(([tensor]) => isOf(taken, tensor))
    .map(([tensor, role]) => {
      const own = recipe.multipliers[tensor] ?? recipe.multipliers[role] ?? { learningRate: 1, weightDecay: 1 };
      return [tensor, { ...own, learningRate: own.learningRate * oldLayersRate }] as const;
    });
  const all = { ...recipe.multipliers, ...Object.fromEntries(old) };
  return { ...recipe, multipliers: Object.fromEntries(Object.entries(all).filter(([key]) => !isOf(frozen, key))) };
}
