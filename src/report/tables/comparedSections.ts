/** Tables of compared runs: paired tests, and means over random seeds. */
import type { Spread } from "../../training/evaluation/spread.ts";
import { formatCount, formatLoss, formatPercent } from "../numbers.ts";
import type { Section } from "./sections.ts";

/** Two runs by their letters, on the same images. */
export interface PairedRuns {
  readonly first: string;
  readonly second: string;
  readonly images: number;
  /** Images that only one of the two recognizes; with label sets, with exactly the own labels. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** McNemar's test, exact and two-sided: the probability of a difference at least as large between runs of equal accuracy. */
  readonly pValue: number;
}

/** Two runs without a paired test, and the reason. */
export interface UnpairedRuns {
  readonly first: string;
  readonly second: string;
  readonly problem: string;
}

/** Runs whose settings differ in the random seed only. */
export interface SeedGroup {
  readonly letters: readonly string[];
  readonly seeds: readonly string[];
  /** Over the runs; absent if one of them lacks the figure. */
  readonly bestAccuracy?: Spread;
  readonly bestLoss?: Spread;
  readonly lastAccuracy?: Spread;
}

const right = (heading: string) => ({ heading, align: "right" }) as const;

/** Sections of a comparison; none without anything to show. */
export function comparedSections({
  paired,
  seeds,
}: {
  readonly paired: readonly (PairedRuns | UnpairedRuns)[];
  readonly seeds: readonly SeedGroup[];
}): readonly Section[] {
  return [...(seeds.length > 0 ? [seedSection(seeds)] : []), pairedSection(paired)];
}

function seedSection(seeds: readonly SeedGroup[]): Section {
  const text = (spread: Spread | undefined, format: (value: number) => string) =>
    spread ? `${format(spread.mean)} ± ${format(spread.deviation)}` : "–";
  return {
    title: "Mean ± deviation over random seeds",
    columns: [
      { heading: "Runs", align: "left", shrinks: true },
      right("Best accuracy"),
      right("Best loss"),
      right("Last accuracy"),
    ],
    rows: seeds.map(({ letters, bestAccuracy, bestLoss, lastAccuracy }) => [
      letters.join(" "),
      text(bestAccuracy, formatPercent),
      text(bestLoss, formatLoss),
      text(lastAccuracy, formatPercent),
    ]),
    notes: ["All other settings of these runs are the same. Sample standard deviation, with the divisor n − 1."],
  };
}

function pairedSection(paired: readonly (PairedRuns | UnpairedRuns)[]): Section {
  const tested = paired.filter((one): one is PairedRuns => "pValue" in one);
  const problems = [...new Set(paired.flatMap((one) => ("problem" in one ? [one.problem] : [])))];
  return {
    title: "Paired test (McNemar, exact and two-sided)",
    columns:
      tested.length > 0
        ? [{ heading: "Runs", align: "left" }, right("Images"), right("Only first"), right("Only second"), right("p")]
        : [],
    rows: tested.map(({ first, second, images, onlyFirst, onlySecond, pValue }) => [
      `${first} and ${second}`,
      ...[images, onlyFirst, onlySecond].map(formatCount),
      formatProbability(pValue),
    ]),
    notes: [
      ...(tested.length > 0
        ? [
            "Counts of images that only one of the two runs recognizes. Probabilities are not adjusted for several tests.",
          ]
        : []),
      ...problems,
    ],
  };
}

/** `0.034`, `< 0.001`. */
function formatProbability(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
