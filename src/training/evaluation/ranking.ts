/** Figures that need the probabilities of all images: each class against all others, and suspected label errors. */
import { yieldToEvents } from "../../yieldToEvents.ts";
import type { ClassHead } from "./classHead.ts";
import { keepScores } from "./keptScores.ts";
import { examineLabels, type LabelExaminer, type SuspectedLabel } from "./labelErrors.ts";
import { type RankedClass, type RankingFigures, rankedClass, rankingFigures, rankLabel } from "./labelRanking.ts";
import type { ScoredBatch } from "./scores.ts";

/** Ranking of images with one class each. */
export interface Ranking {
  readonly ranking: RankingFigures;
  readonly perClass: readonly RankedClass[];
  /** Suspects by position in the split. */
  readonly labels: ReturnType<LabelExaminer["result"]>;
}

/** Keeps probabilities batch by batch, and ranks the images by each. */
export interface RankingCounter {
  add(batch: ScoredBatch): void;
  result(): Promise<Ranking>;
}

/** Starts keeping probabilities: 9 bytes per image and class. */
export function countRanking(classes: number, head: ClassHead): RankingCounter {
  const kept = keepScores(classes, Float64Array);
  const [labels, positions]: [number[], number[]] = [[], []];
  return {
    add({ scores, labels: own, indices, count }) {
      for (let row = 0; row < count; row++) {
        const label = own[row] as number;
        kept.add(head.probabilities(scores.subarray(row * classes, (row + 1) * classes)), [label]);
        labels.push(label);
        positions.push(indices[row] as number);
      }
    },
    async result() {
      const ranked: ReturnType<typeof rankedClass>[] = [];
      const examiner = examineLabels(labels, classes);
      for (let c = 0; c < classes; c++) {
        const own = kept.of(c);
        ranked.push(rankedClass(rankLabel(own)));
        examiner.add(own.scores);
        await yieldToEvents();
      }
      const examined = examiner.result();
      const at = ({ image, ...suspect }: SuspectedLabel) => ({ ...suspect, image: positions[image] as number });
      return {
        ranking: rankingFigures(ranked),
        perClass: ranked.map(({ areas }) => areas),
        labels: examined && { ...examined, suspects: examined.suspects.map(at) },
      };
    },
  };
}
