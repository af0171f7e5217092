/** Figures that need the probabilities of all images: each class against all others. */
import { yieldToEvents } from "../../yieldToEvents.ts";
import type { ClassHead } from "./classHead.ts";
import { keepScores } from "./keptScores.ts";
import { type RankedClass, type RankingFigures, rankedClass, rankingFigures, rankLabel } from "./labelRanking.ts";
import type { ScoredBatch } from "./scores.ts";

/** Ranking of images with one class each. */
export interface Ranking {
  readonly ranking: RankingFigures;
  readonly perClass: readonly RankedClass[];
}

/** Keeps probabilities batch by batch, and ranks the images by each. */
export interface RankingCounter {
  add(batch: ScoredBatch): void;
  result(): Promise<Ranking>;
}

/** Starts keeping probabilities: 9 bytes per image and class. */
export function countRanking(classes: number, head: ClassHead): RankingCounter {
  const kept = keepScores(classes, Float64Array);
  return {
    add({ scores, labels, count }) {
      for (let row = 0; row < count; row++) {
        const own = head.probabilities(scores.subarray(row * classes, (row + 1) * classes));
        kept.add(own, [labels[row] as number]);
      }
    },
    async result() {
      const ranked: ReturnType<typeof rankedClass>[] = [];
      for (let c = 0; c < classes; c++) {
        ranked.push(rankedClass(rankLabel(kept.of(c))));
        await yieldToEvents();
      }
      return { ranking: rankingFigures(ranked), perClass: ranked.map(({ areas }) => areas) };
    },
  };
}
