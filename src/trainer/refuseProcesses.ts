/** Settings that several processes cannot train with yet. */
import { rowsOf } from "../engine/communicator.ts";
import { engineFacts } from "../engine/select/engineNames.ts";
import { messageOf, UsageError } from "../errors.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import type { Recipe } from "../training/recipe.ts";

function usesStatistics({ parameters }: PlacedLayer): boolean {
  return parameters.some(({ isStatistic }) => isStatistic);
}

/** Throws UsageError for what a run of `size` processes lacks. */
export function refuseProcesses(
  size: number,
  {
    recipe,
    engine,
    keptViews = 0,
    head,
    network,
    frozen = [],
  }: {
    readonly recipe: Recipe;
    readonly engine: string;
    readonly keptViews?: number | undefined;
    readonly head?: RunConfig["head"] | undefined;
    readonly network?: Network;
    readonly frozen?: readonly string[] | undefined;
  },
): void {
  if (size === 1) return;
  const refuse = (what: string, remedy: string): never => {
    throw new UsageError(`${what}: not supported with several processes; ${remedy}`);
  };
  if (recipe.mixup > 0) refuse("mixup", "use --mixup 0, or one process");
  if (recipe.cutmix) refuse("cutmix", "use --cutmix 0, or one process");
  if (keptViews > 0) refuse("cached features of frozen layers", "add --kept-views 0, or use one process");
  if (head !== undefined) refuse("several labels an image", "use one process");
  const own = network && place(network).find((layer) => usesStatistics(layer) && !frozen.includes(layer.layer.name));
  if (own) refuse(`${own.layer.name}: statistics of the batch`, "use one process, or freeze the layer");
  if (engineFacts(engine)?.trainsTogether === false) refuse(`engine ${engine}`, "use --engine onednn");
  try {
    rowsOf({ rank: 0, size }, recipe.batchSize);
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
}
