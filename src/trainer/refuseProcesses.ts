/** Settings that several processes cannot train with. */
import { rowsOf } from "../engine/communicator.ts";
import { engineFacts } from "../engine/select/engineNames.ts";
import { messageOf, UsageError } from "../errors.ts";
import { type Network, operations, type PlacedLayer, place } from "../network/network.ts";
import { partition } from "../network/partition.ts";
import type { Scheme } from "../network/schemes.ts";
import { frozenLayers } from "../settings/initFrom.ts";
import type { RunPlan } from "../settings/resolve.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import type { Recipe } from "../training/recipe.ts";

/** The run to check. */
interface RefusedRun {
  readonly recipe: Recipe;
  readonly engine: string;
  readonly keptViews?: number | undefined;
  readonly head?: RunConfig["head"] | undefined;
  /** Default: `data`. */
  readonly scheme?: Scheme | undefined;
  /** Undefined if it depends on the data set. */
  readonly network?: Network | undefined;
  /** Layers that are not trained. */
  readonly frozen?: readonly string[] | undefined;
}

/** Throws UsageError for what a planned run of `size` processes lacks, as far as that does not depend on its images. */
export function refusePlan(
  size: number,
  { recipe, engine, network, initFrom, stored }: Pick<RunPlan, "recipe" | "engine" | "network" | "initFrom" | "stored">,
  scheme = stored?.parallel,
): void {
  const planned = initFrom && {
    keptViews: initFrom.keptViews,
    ...(network ? { frozen: frozenLayers(network, initFrom.freeze) } : {}),
  };
  refuseProcesses(size, { recipe, engine, network, scheme, head: stored?.head, ...(stored?.fineTuning ?? planned) });
}

function usesStatistics({ parameters }: PlacedLayer): boolean {
  return parameters.some(({ isStatistic }) => isStatistic);
}

/** Throws UsageError for what a run of `size` processes lacks. */
export function refuseProcesses(
  size: number,
  { recipe, engine, keptViews = 0, head, scheme = "data", network, frozen = [] }: RefusedRun,
): void {
  if (size === 1) return;
  const refuse = (what: string, remedy: string): never => {
    throw new UsageError(`${what}: not supported with several processes; ${remedy}`);
  };
  if (keptViews > 0) refuse("cached features of frozen layers", "add --kept-views 0, or use one process");
  if (head !== undefined) refuse("several labels an image", "use one process");
  const own = network && place(network).find((layer) => usesStatistics(layer) && !frozen.includes(layer.layer.name));
  if (own) refuse(`${own.layer.name}: statistics of the batch`, "use one process, or freeze the layer");
  if (engineFacts(engine)?.trainsTogether === false) refuse(`engine ${engine}`, "use --engine onednn");
  // The partner of an image may be another process's, if they divide the batch.
  if (scheme !== "towers") {
    if (recipe.mixup > 0) refuse("mixup", "use --mixup 0, --parallel towers, or one process");
    if (recipe.cutmix) refuse("cutmix", "use --cutmix 0, --parallel towers, or one process");
    requireDivisor(size, recipe.batchSize);
  }
  if (network) partition(operations(network), scheme, { rank: 0, size });
}

function requireDivisor(size: number, batchSize: number): void {
  try {
    rowsOf({ rank: 0, size }, batchSize);
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
}
