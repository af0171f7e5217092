/** Findings: comparisons within each seed, their verdicts, and the conclusion of an experiment. */
import { type ArmResult, type Measured, type Range, rangeAt, valueAt } from "./armResults.ts";
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
  /** The comparison in each seed that has both values; infinite or NaN where one of them was not reached. */
  readonly values: readonly number[];
  readonly verdict: "holds" | "fails" | "undecided" | "not measured";
  /** The verdict in words, with the number of seeds. */
  readonly sentence: string;
}

type Compare = (value: number, other: number) => number;

const comparisons: Readonly<Record<Finding["compare"], Compare>> = {
  value: (value) => value,
  difference: (value, other) => value - other,
  ratio: (value, other) => value / other,
};

/**
 * Compares a finding's two values within each seed, and counts the seeds in which the difference or ratio is within its bounds. A target that was not
 * reached is known to need more than the epochs of the run, so that a comparison may stay open.
 */
export function judge(
  experiment: Pick<Experiment, "evaluations">,
  results: readonly ArmResult[],
  finding: Finding,
): FindingResult {
  const { name, published, compare, of, to } = finding;
  const seeds = [...new Set(results.flatMap((result) => result.seeds.map(({ seed }) => seed)))];
  const pairs = seeds.flatMap((seed) => pairOf(results, finding, seed) ?? []);
  const counts = { ...countPairs(finding, pairs), seeds: seeds.length };
  const { unit } = describeMeasure(experiment, of.measure);
  const format = { value: unit.format, difference: unit.difference, ratio: units.times.format }[compare];
  return {
    name,
    published,
    values: pairs.map(({ compared }) => compared),
    measured: formatComparison(pairs, format),
    verdict: verdictOf(counts),
    sentence: sentenceOf(counts, hasDiverged(results, to ? [of, to] : [of])),
  };
}

/** Two values of a seed, their comparison, and its range: both ends are equal unless a target was not reached. */
interface Pair {
  readonly value: number;
  readonly other: number;
  readonly compared: number;
  readonly range: Range;
}

/** The comparison within a seed; undefined if it lacks a value. */
function pairOf(results: readonly ArmResult[], { compare, of, to }: Finding, seed: number): Pair | undefined {
  const value = valueAt(results, of, seed);
  const other = to ? valueAt(results, to, seed) : 0;
  if (value === undefined || other === undefined) return undefined;
  const apply = comparisons[compare];
  const [least, most] = rangeAt(results, of, seed);
  const [otherLeast, otherMost] = to ? rangeAt(results, to, seed) : [0, 0];
  return { value, other, compared: apply(value, other), range: [apply(least, otherMost), apply(most, otherLeast)] };
}

/** Seeds in total, and those in which a finding holds, does not hold, or is open. */
interface Counts {
  readonly seeds: number;
  readonly holding: number;
  readonly failing: number;
  readonly open: number;
}

/** Bounds are excluded themselves. */
function countPairs({ above = -Infinity, below = Infinity }: Finding, pairs: readonly Pair[]): Omit<Counts, "seeds"> {
  const isAbove = (value: number) => above === -Infinity || value > above;
  const isBelow = (value: number) => below === Infinity || value < below;
  const holding = pairs.filter(({ range: [least, most] }) => isAbove(least) && isBelow(most)).length;
  const failing = pairs.filter(({ range: [least, most] }) => most <= above || least >= below).length;
  return { holding, failing, open: pairs.length - holding - failing };
}

function hasDiverged(results: readonly ArmResult[], measured: readonly Measured[]): boolean {
  const own = results.filter(({ arm }) => measured.some((each) => each.arm === arm));
  return own.some(({ seeds }) => seeds.some(({ status }) => status === "diverged"));
}

/** Mean and deviation; no mean if a value was not reached, but the bound that the epochs of the run give. */
function formatComparison(pairs: readonly Pair[], format: (value: number) => string): string {
  const first = pairs.some(({ value }) => !Number.isFinite(value)) ? ["first"] : [];
  const second = pairs.some(({ other }) => !Number.isFinite(other)) ? ["second"] : [];
  const unreached = [...first, ...second];
  if (unreached.length > 0) return `not reached by the ${unreached.join(" and the ")}${boundOf(pairs, format)}`;
  const statistics = statisticsOf(pairs.map(({ compared }) => compared));
  return statistics ? formatStatistics(statistics, format) : "–";
}

function boundOf(pairs: readonly Pair[], format: (value: number) => string): string {
  const least = Math.min(...pairs.map(({ range }) => range[0]));
  const most = Math.max(...pairs.map(({ range }) => range[1]));
  if (Number.isFinite(least) && least > 0) return `: more than ${format(least)}`;
  return Number.isFinite(most) ? `: less than ${format(most)}` : "";
}

function verdictOf({ seeds, holding, failing, open }: Counts): FindingResult["verdict"] {
  if (holding + failing + open === 0) return "not measured";
  if (holding === seeds) return "holds";
  return failing === seeds ? "fails" : "undecided";
}

function sentenceOf({ seeds, holding, failing, open }: Counts, diverged: boolean): string {
  const missing = seeds - holding - failing - open;
  const reason = diverged ? " (a run diverged)" : "";
  if (missing === seeds) return `not measured${reason}`;
  if (seeds === 1 && open === 0) return holding === 1 ? "holds (one seed)" : "does not hold (one seed)";
  if (seeds === 1) return "undecided (one seed): a target was not reached in time";
  if (holding === seeds) return `holds in all ${seeds} seeds`;
  if (failing === seeds) return `does not hold in any of ${seeds} seeds`;
  const rest = [
    ...(open > 0 ? [`not reached in time in ${open}`] : []),
    ...(missing > 0 ? [`not measured in ${missing}${reason}`] : []),
  ];
  return [`undecided: holds in ${holding} of ${seeds} seeds`, ...rest].join(", ");
}

/**
 * The result of all findings in a sentence. `isReduced`: smaller or other settings than the experiment's. `cautions` are further sentences.
 */
export function conclusionOf(
  findings: readonly FindingResult[],
  isReduced: boolean,
  cautions: readonly string[] = [],
): string {
  const measured = findings.filter(({ verdict }) => verdict !== "not measured");
  const one = measured.length > 0 && measured.every(({ values }) => values.length === 1);
  const reduced = "The settings are not those of the experiment, so this says nothing about the claim.";
  return [
    countSentence(measured, findings.length - measured.length),
    ...cautions,
    ...(isReduced ? [reduced] : one ? ["One seed gives no deviation; run more with --seeds."] : []),
  ].join(" ");
}

function countSentence(measured: readonly FindingResult[], unmeasured: number): string {
  const { length } = measured;
  const count = (wanted: FindingResult["verdict"]) => measured.filter(({ verdict }) => verdict === wanted).length;
  const [held, undecided] = [count("holds"), count("undecided")];
  const rest = [
    ...(undecided > 0 && length > 1 ? [`${undecided} undecided`] : []),
    ...(unmeasured > 0 ? [`${unmeasured} not measured`] : []),
  ];
  const end = rest.length === 0 ? "." : `; ${rest.join(", ")}.`;
  if (length === 0) return "No comparison was measured.";
  if (length === 1) {
    return `The comparison ${undecided === 1 ? "is undecided" : held === 1 ? "holds" : "does not hold"}${end}`;
  }
  if (held === length) return `All ${held} comparisons hold${end}`;
  return held === 0 ? `None of ${length} comparisons holds${end}` : `${held} of ${length} comparisons hold${end}`;
}
