/** Cautions about results: runs that diverged, searches that end at a bound, and changed settings that make configurations equal. */
import { isDeepStrictEqual } from "node:util";
import { formatValue } from "../report/tables/sweepTable.ts";
import type { ArmResult, Values } from "./armResults.ts";
import type { ScaledExperiment } from "./scaledExperiment.ts";

/** Sentences that a reader of the conclusion needs. */
export function cautionsOf(experiment: ScaledExperiment, results: readonly ArmResult[]): readonly string[] {
  const diverged = divergedRuns(results);
  const bounds = valuesAtBounds(experiment, results);
  const replaced = replacedKeys(experiment);
  return [
    ...(diverged.length > 0 ? [`Diverged: ${diverged.join("; ")}.`] : []),
    ...(bounds.length > 0
      ? [
          `The best ${experiment.search?.key} is an end of the tried range for ${bounds.join("; ")}, so a better value may lie outside.`,
        ]
      : []),
    ...(replaced.length > 0
      ? [`The changed settings replace ${replaced.join(", ")}, in which the configurations differ.`]
      : []),
  ];
}

/** `SGD, batch 4,096 (1 of 3 seeds)`. */
function divergedRuns(results: readonly ArmResult[]): readonly string[] {
  return results.flatMap(({ arm, seeds }) => {
    const count = seeds.filter(({ status }) => status === "diverged").length;
    return count === 0 ? [] : [`${arm} (${count} of ${seeds.length} seed${seeds.length === 1 ? "" : "s"})`];
  });
}

/** `tanh, paper (0.1)` for arms whose chosen value is the lowest or the highest of several. */
function valuesAtBounds({ search }: ScaledExperiment, results: readonly ArmResult[]): readonly string[] {
  const tried = search?.values ?? [];
  if (tried.length < 2) return [];
  const bounds = [Math.min(...tried), Math.max(...tried)];
  return results.flatMap(({ arm, chosen }) =>
    chosen !== undefined && bounds.includes(chosen) ? [`${arm} (${formatValue(chosen)})`] : [],
  );
}

/** Keys of changed settings that replace different values of arms: their own, or those of their recipes. */
function replacedKeys({ arms, overrides }: ScaledExperiment): readonly string[] {
  return Object.keys(overrides).filter((key) => {
    const [first, ...others] = arms.map(({ values }) => values[key] ?? (values["recipe"] as Values | undefined)?.[key]);
    return others.some((value) => !isDeepStrictEqual(value, first));
  });
}
