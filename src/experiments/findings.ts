/** Findings: comparisons within each seed, their verdicts, and the conclusion of an experiment. */
import { type ArmResult, valueAt } from "./armResults.ts";
import type { Experiment, Finding } from "./experiment.ts";
import {
  formatStatistics,
  type Measure,
  measures,
  type Statistics,
  statisticsOf,
  type Unit,
  units,
} from "./measures.ts";

/** Title and unit of a measure of an experiment. */
export function describeMeasure(
  { evaluations = [] }: Pick<Experiment, "evaluations">,
  name: string,
): { readonly title: string; readonly unit: Unit } {
  const known = (measures as Readonly<Record<string, Measure>>)[name];
  const title = known?.title ?? evaluations.find((each) => each.name === name)?.title ?? name;
  return { title, unit: units[known?.unit ?? "fraction"] };
}

/** A finding and its measurement. */
export interface FindingResult {
  readonly name: string;
  readonly published: string;
  /** Mean and deviation as text. */
  readonly measured: string;
  /** The comparison in each seed; infinite where the first value was not reached. */
  readonly values: readonly number[];
  readonly verdict: "holds" | "fails" | "undecided" | "not measured";
  /** The verdict in words, with the number of seeds. */
  readonly sentence: string;
}

const comparisons: Readonly<Record<Finding["compare"], (value: number, other: number) => number>> = {
  value: (value) => value,
  difference: (value, other) => value - other,
  ratio: (value, other) => value / other,
};

/** Compares a finding's two values within each seed, and counts the seeds in which the difference or ratio is within its bounds. */
export function judge(
  experiment: Pick<Experiment, "evaluations">,
  results: readonly ArmResult[],
  finding: Finding,
): FindingResult {
  const { name, published, compare, of, to, above, below } = finding;
  const seeds = [...new Set(results.flatMap((result) => result.seeds.map(({ seed }) => seed)))];
  const values = seeds.flatMap((seed) => {
    const value = valueAt(results, of, seed);
    const other = to ? valueAt(results, to, seed) : 0;
    if (value === undefined || other === undefined) return [];
    const compared = comparisons[compare](value, other);
    return Number.isNaN(compared) ? [] : [compared];
  });
  // An infinite value is above every bound, and no value is too large without an upper one.
  const isInside = (value: number) =>
    !(above !== undefined && value <= above) && !(below !== undefined && value >= below);
  const inside = values.filter(isInside).length;
  const { unit } = describeMeasure(experiment, of.measure);
  const format = { value: unit.format, difference: unit.difference, ratio: units.times.format }[compare];
  const statistics = statisticsOf(values);
  return {
    name,
    published,
    values,
    measured: statistics ? formatComparison(statistics, format) : "–",
    verdict: verdictOf(inside, values.length),
    sentence: sentenceOf(inside, values.length),
  };
}

/** An infinite mean comes of a value that was not reached; of the other one, it is minus infinity or 0. */
function formatComparison(statistics: Statistics, format: (value: number) => string): string {
  if (Number.isFinite(statistics.mean)) return formatStatistics(statistics, format);
  return statistics.mean > 0 ? "not reached by the first" : "not reached by the second";
}

function verdictOf(inside: number, seeds: number): FindingResult["verdict"] {
  if (seeds === 0) return "not measured";
  if (inside === seeds) return "holds";
  return inside === 0 ? "fails" : "undecided";
}

function sentenceOf(inside: number, seeds: number): string {
  if (seeds === 0) return "not measured";
  if (seeds === 1) return inside === 1 ? "holds (one seed)" : "does not hold (one seed)";
  if (inside === seeds) return `holds in all ${seeds} seeds`;
  return inside === 0 ? `does not hold in any of ${seeds} seeds` : `undecided: holds in ${inside} of ${seeds} seeds`;
}

/** The result of all findings in a sentence. `isReduced`: smaller or other settings than the experiment's. */
export function conclusionOf(findings: readonly FindingResult[], isReduced: boolean): string {
  const measured = findings.filter(({ verdict }) => verdict !== "not measured");
  const held = measured.filter(({ verdict }) => verdict === "holds").length;
  const one = measured.length > 0 && measured.every(({ values }) => values.length === 1);
  const caution = isReduced
    ? " The settings are not those of the experiment, so this says nothing about the claim."
    : one
      ? " One seed gives no deviation; run more with --seeds."
      : "";
  if (measured.length === 0) return `No comparison was measured.${caution}`;
  if (measured.length === 1) return `The comparison ${held === 1 ? "holds" : "does not hold"}.${caution}`;
  if (held === measured.length) return `All ${held} comparisons hold.${caution}`;
  if (held === 0) return `None of ${measured.length} comparisons holds.${caution}`;
  return `${held} of ${measured.length} comparisons hold.${caution}`;
}
