/** Figures of a run for the page: its progress, its iterations and the images of an evaluation. */
import type { Prediction } from "../../training/evaluation/metrics.ts";
import type { Position } from "../../training/state.ts";
import type { IterationPoint, RunProgress, TestedImage } from "./trainerApi.ts";

/** Progress at a position; `trainImages` is the number of training images. */
export function progressOf({ iteration, epoch, images, seconds }: Position, trainImages: number): RunProgress {
  return { iteration, epoch: epoch + images / trainImages, seconds };
}

/** Loss, accuracy and speed between two positions. */
export function pointOf(before: Position, position: Position, trainImages: number): IterationPoint {
  const isSameEpoch = position.epochTally.images > before.epochTally.images;
  const from = isSameEpoch ? before.epochTally : { loss: 0, correct: 0, images: 0, seconds: 0 };
  const { loss, correct, images, seconds } = position.epochTally;
  const count = images - from.images;
  return {
    ...progressOf(position, trainImages),
    loss: (loss - from.loss) / count,
    accuracy: (correct - from.correct) / count,
    examplesPerSecond: count / (seconds - from.seconds),
  };
}

/** A prediction with classes as indices. */
export function testedImage(
  { index, className, predicted, probability }: Prediction,
  classNames: readonly string[],
): TestedImage {
  return { index, label: classNames.indexOf(className), predicted: classNames.indexOf(predicted), probability };
}
