/** Several networks that answer as one: the mean of their probabilities. Source: Krizhevsky et al. 2012, §6.1. */
import type { Split } from "../../dataset/dataset.ts";
import { ConfigError } from "../../errors.ts";
import type { ClassHead, Scores } from "./classHead.ts";
import { countCorrect } from "./metrics.ts";
import { averageScores, type ScoredBatch } from "./scores.ts";

/** One network's scores of the same images, in batches of the same size; labels are those of the ensemble. */
export interface Member {
  readonly scored: AsyncGenerator<ScoredBatch>;
  /** For each class of the ensemble, its number among this network's. */
  readonly columns: readonly number[];
  /** Called with the number of images of each batch that this network alone has right. */
  readonly onCorrect: (correct: number) => void;
}

/**
 * Scores whose probabilities are the mean of the members'; all have the same head. All members do one batch before any does the next, so that memory is needed for
 * the probabilities of one batch, whatever the length of the split. It ends when a member does.
 */
export async function* scoreEnsemble(members: readonly Member[], head: ClassHead): AsyncGenerator<ScoredBatch> {
  const mean = averageScores(head);
  try {
    for (;;) {
      let last: ScoredBatch | undefined;
      for (const { scored, columns, onCorrect } of members) {
        const { done, value } = await scored.next();
        if (done) return;
        const scores = reordered(value.scores, columns, value.count);
        onCorrect(countCorrect(scores, value.labels, value.count));
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

/** For each class of one list, its number in another. Throws ConfigError, which begins with `name`, if the classes are not the same. */
export function columnsOf(classNames: readonly string[], others: readonly string[], name: string): readonly number[] {
  const columns = classNames.map((className) => others.indexOf(className));
  const missing = classNames.filter((_, c) => columns[c] === -1);
  const besides = others.filter((className) => !classNames.includes(className));
  if (missing.length === 0 && besides.length === 0) return columns;
  const list = (names: readonly string[]) => (names.length > 0 ? names.slice(0, 5).join(", ") : "none");
  throw new ConfigError(
    `${name}: expected the classes of the first run, got others: missing ${list(missing)}; besides ${list(besides)}`,
  );
}

/** Throws ConfigError, which begins with `name`, if the images of two splits are not the same in the same order. */
export function checkSamePictures(split: Split, other: Split, name: string): void {
  let same = split.length === other.length;
  for (let i = 0; same && i < split.length; i++) {
    same = split.label(i) === other.label(i) && split.path?.(i) === other.path?.(i);
  }
  if (same) return;
  throw new ConfigError(
    `${name}: expected the pictures that the first run is measured on, got others; give one data set for all with --dataset and --split`,
  );
}
