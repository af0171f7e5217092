/** A network's scores over a split, batch by batch. */
import type { Split } from "../../dataset/dataset.ts";
import { type Batch, batches, computing } from "../../dataset/prepare/batches.ts";
import type { Preparation } from "../../dataset/prepare/preparation.ts";
import type { Program } from "../../engine/engine.ts";
import { centreView, type View } from "../../image/prepare/views.ts";
import { yieldToEvents } from "../../yieldToEvents.ts";
import { type ClassHead, checkOutputs, type Scores, softmaxHead } from "./classHead.ts";

/** Scores of images. Valid until the next batch is requested. */
export interface ScoredBatch {
  /** [count, classes]. */
  readonly scores: Scores;
  /** [count] classes. */
  readonly labels: Int32Array;
  /** [count] positions in the split. */
  readonly indices: Uint32Array;
  readonly count: number;
}

/** The part of a program that computes scores. */
export type ScoringProgram = Pick<Program, "batchSize" | "rows" | "nextInput" | "forward">;

export interface ScoreOptions {
  readonly split: Split;
  readonly preparation: Preparation;
  /** Random seed for networks whose dropout is active at evaluation. Masks are a function of seed, position in the split and view. */
  readonly seed: number;
  /** Probabilities are averaged over these views of each image. Default: the fit's single view of evaluation, without averaging. */
  readonly views?: readonly View[] | undefined;
  /** Default: softmax. */
  readonly head?: ClassHead | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a network over a split, in order; it ends early if it is aborted.
 *
 * All views of a batch follow each other, so that only the probabilities of one batch are in memory, and each image is read once.
 *
 * Throws NonFiniteError naming the image if an output is NaN or infinite.
 */
export async function* scoreSplit(program: ScoringProgram, options: ScoreOptions): AsyncGenerator<ScoredBatch> {
  const { split, preparation, seed, views = [centreView], head = softmaxHead, signal } = options;
  const { batchSize, rows } = program;
  const mean = averageScores(head);
  let scored = 0;
  const source = batches({ split, preparation, batchSize, rows, views, into: () => program.nextInput() });
  const start = ({ images, count, view }: Batch) => {
    const first = (view * split.length + scored) >>> 0;
    return program.forward(images, count, { seed, first });
  };
  for await (const { batch, result } of computing(source, start)) {
    const { labels, indices, count, view } = batch;
    const outputs = await result;
    checkOutputs(outputs, count, (row) => nameOf(split, indices[row] as number));
    const own = head.scores(outputs, count);
    await yieldToEvents();
    if (signal?.aborted) return;
    if (views.length > 1) mean.add(own, count);
    if (view < views.length - 1) continue;
    scored += count;
    yield { scores: views.length > 1 ? mean.take() : own, labels, indices, count };
  }
}

/** The image's file, or its position. */
function nameOf(split: Split, index: number): string {
  return split.path?.(index) ?? `image ${index}`;
}

/** Averages the probabilities of scores of the same images. */
export interface ScoreAverage {
  /** Adds scores. Shapes: [count, classes], the same for all that are averaged. */
  add(scores: Scores, count: number): void;
  /** Returns scores with the mean probabilities, and resets the sums. */
  take(): Float64Array;
}

/** The head's scores of Σ probabilities / n, in f64. */
export function averageScores(head: ClassHead): ScoreAverage {
  let sums = new Float64Array(0);
  let terms = 0;
  return {
    add(scores, count) {
      const classes = scores.length / count;
      if (terms++ === 0) sums = new Float64Array(scores.length);
      for (let row = 0; row < count; row++) {
        const shares = head.probabilities(scores.subarray(row * classes, (row + 1) * classes));
        for (const [c, share] of shares.entries())
          sums[row * classes + c] = (sums[row * classes + c] as number) + share;
      }
    },
    take() {
      const means = sums.map((sum) => head.scoreOf(sum / terms));
      terms = 0;
      return means;
    },
  };
}
