/** Findings: comparisons within each seed, their verdicts, and the conclusion of an experiment. */
import { type ArmResult, valueAt } from "./armResults.ts";
import type { Experiment, Finding } from "./experiment.ts";
import { formatStatistics, type Measure, measures, statisticsOf, type Unit, units } from "./measures.ts";

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
  const pairs = seeds.flatMap((seed) => {
    const value = valueAt(results, of, seed);
    const other = to ? valueAt(results, to, seed) : 0;
    if (value === undefined || other === undefined) return [];
    const compared = comparisons[compare](value, other);
    return Number.isNaN(compared) ? [] : [{ value, other, compared }];
  });
  const values = pairs.map(({ compared }) => compared);
  // An infinite value is above every bound, and no value is too large without an upper one.
  const isInside = (value: number) =>
    !(above !== undefined && value <= above) && !(below !== undefined && value >= below);
  const inside = values.filter(isInside).length;
  const { unit } = describeMeasure(experiment, of.measure);
  const format = { value: unit.format, difference: unit.difference, ratio: units.times.format }[compare];
  return {
    name,
    published,
    values,
    measured: formatComparison(pairs, format),
    verdict: verdictOf(inside, values.length),
    sentence: sentenceOf(inside, values.length),
  };
}

/** Two values of a seed, infinite where a target was not reached, and their comparison. */
interface Pair {
  readonly value: number;
  readonly other: number;
  readonly compared: number;
}

/** Mean and deviation; no number if a value was not reached, since a ratio to it would count as 0. */
function formatComparison(pairs: readonly Pair[], format: (value: number) => string): string {
  const first = pairs.some(({ value }) => !Number.isFinite(value)) ? ["first"] : [];
  const second = pairs.some(({ other }) => !Number.isFinite(other)) ? ["second"] : [];
  const unreached = [...first, ...second];
  if (unreached.length > 0) return `not reached by the ${unreached.join(" and the ")}`;
  const statistics = statisticsOf(pairs.map(({ compared }) => compared));
  return statistics ? formatStatistics(statistics, format) : "–";
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
