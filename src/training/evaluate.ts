import { batches } from "../dataset/batches.ts";
import type { Split } from "../dataset/dataset.ts";
import type { Program } from "../engine/engine.ts";
import type { Preprocessing } from "../image/preprocess.ts";
import { countEvaluation, type Evaluation } from "./metrics.ts";

/** What a network is evaluated on. */
export interface EvaluateOptions {
  readonly split: Split;
  readonly preprocessing: Preprocessing;
  readonly classNames: readonly string[];
  /** For networks whose dropout is active at evaluation: an image's masks follow from this and its position in the split. */
  readonly seed: number;
  readonly onProgress?: (images: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a network over a split, in order. The last, smaller batch counts for the images it has. Undefined if it was aborted.
 */
export async function evaluate(program: Program, options: EvaluateOptions): Promise<Evaluation | undefined> {
  const { split, preprocessing, classNames, seed, signal } = options;
  const { batchSize } = program;
  const counter = countEvaluation(classNames);
  let images = 0;
  for await (const batch of batches({ split, preprocessing, batchSize, into: program.input })) {
    const logits = await program.forward(batch.images, batch.count, { seed, first: images });
    counter.add(logits, batch.labels, batch.count);
    images += batch.count;
    options.onProgress?.(images);
    await new Promise(setImmediate);
    if (signal?.aborted) return undefined;
  }
  return counter.result();
}
