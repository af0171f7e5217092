/** Ensemble of several networks: the mean of their probabilities. Source: Krizhevsky et al. 2012, §6.1. */
import type { Split } from "../../dataset/dataset.ts";
import { classesAt, type LabelSet } from "../../dataset/labelSets.ts";
import { ConfigError } from "../../errors.ts";
import type { ClassHead, Scores } from "./classHead.ts";
import { countCorrect } from "./metrics.ts";
import { countExact } from "./multiLabel.ts";
import { averageScores, type ScoredBatch } from "./scores.ts";

/** One network's scores for the same images, in batches of the same size; labels are those of the ensemble. */
export interface Member {
  readonly scored: AsyncGenerator<ScoredBatch>;
  /** Index of each of the ensemble's classes among this network's. */
  readonly columns: readonly number[];
  /** With label sets: lowest score of each of the ensemble's classes that is present. Default: 0, a probability of 50 %. */
  readonly lowest?: ArrayLike<number>;
  /** Called with the number of images of each batch that this network alone classifies correctly. */
  readonly onCorrect: (correct: number) => void;
}

/**
 * Yields scores whose probabilities are the mean of the members'; all members have the same head. All members finish a batch before any starts the
 * next, so that only the probabilities of one batch are in memory. It ends with the first member that ends.
 */
export async function* scoreEnsemble(
  members: readonly Member[],
  head: ClassHead,
  labelSets?: readonly LabelSet[],
): AsyncGenerator<ScoredBatch> {
  const mean = averageScores(head);
  try {
    for (;;) {
      let last: ScoredBatch | undefined;
      for (const { scored, columns, lowest, onCorrect } of members) {
        const { done, value } = await scored.next();
        if (done) return;
        const scores = reordered(value.scores, columns, value.count);
        onCorrect(
          labelSets
            ? countExact(scores, value.labels, value.count, labelSets, lowest)
            : countCorrect(scores, value.labels, value.count),
        );
        mean.add(scores, value.count);
        last = value;
      }
      if (!last) return;
      yield { ...last, scores: mean.take() };
    }
  } finally {
    for (const { scored } of members) await scored.return(undefined);
  }
}

function reordered(scores: Scores, columns: readonly number[], count: number): Scores {
  const classes = columns.length;
  return scores.slice(0, count * classes).map((_, i) => {
    const [row, c] = [Math.floor(i / classes), i % classes];
    return scores[row * classes + (columns[c] as number)] as number;
  });
}

/** Index of each class of one list in another. Throws ConfigError, which begins with `name`, if the classes differ. */
export function columnsOf(classNames: readonly string[], others: readonly string[], name: string): readonly number[] {
  const columns = classNames.map((className) => others.indexOf(className));
  const missing = classNames.filter((_, c) => columns[c] === -1);
  const unexpected = others.filter((className) => !classNames.includes(className));
  if (missing.length === 0 && unexpected.length === 0) return columns;
  const list = (names: readonly string[]) => (names.length > 0 ? names.slice(0, 5).join(", ") : "none");
  throw new ConfigError(
    `${name}: expected the classes of the first run, got others: missing ${list(missing)}; unexpected ${list(unexpected)}`,
  );
}

function isSameSet(a: LabelSet, b: LabelSet): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i]);
}

/** Throws ConfigError, which begins with `name`, unless two splits have the same images in the same order. */
export function checkSamePictures(split: Split, other: Split, name: string): void {
  let same = split.length === other.length;
  for (let i = 0; same && i < split.length; i++) {
    same = isSameSet(classesAt(split, i), classesAt(other, i)) && split.path?.(i) === other.path?.(i);
  }
  if (same) return;
  throw new ConfigError(
    `${name}: expected the images of the first run, got others (each fold of a run holds out its own); give one data set for all with --dataset and --split`,
  );
}
