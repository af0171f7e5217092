/** Metrics of a multi-label network on images with one known class. */
import type { ClassFigures } from "./confusion.ts";

/** Minimum probability of a class that is present. */
export const DEFAULT_THRESHOLD = 0.5;

/** Metrics of a multi-label network. Each image counts as showing its folder's class and no other. */
export interface MultiLabelFigures {
  /** Minimum probability of a class that counts as present. */
  readonly threshold: number;
  /** Fraction of images for which exactly their own class is predicted. */
  readonly exactMatch: number;
  /** Mean of all defined F1 scores. */
  readonly macroF1: number;
}

export interface LabelCounter {
  /** Shapes: probabilities [classes]. */
  add(probabilities: Float64Array, label: number): void;
  result(): { readonly perClass: readonly ClassFigures[]; readonly multiLabel: MultiLabelFigures };
}

/** Starts counting: precision = correct / predicted, recall = correct / images, F1 = 2 · correct / (predicted + images). */
export function countLabels(classNames: readonly string[], threshold: number): LabelCounter {
  const counts = classNames.map(() => ({ images: 0, predicted: 0, correct: 0 }));
  let [all, exact] = [0, 0];
  return {
    add(probabilities, label) {
      let present = 0;
      for (const [c, count] of counts.entries()) {
        const isPresent = (probabilities[c] as number) >= threshold;
        if (isPresent) {
          present++;
          count.predicted++;
        }
        if (c !== label) continue;
        count.images++;
        if (isPresent) count.correct++;
      }
      all++;
      if (present === 1 && (probabilities[label] as number) >= threshold) exact++;
    },
    result() {
      const perClass = counts.map(({ images, predicted, correct }, c) => ({
        className: classNames[c] as string,
        images,
        correct,
        precision: fraction(correct, predicted),
        recall: fraction(correct, images),
        f1: fraction(2 * correct, predicted + images),
      }));
      const known = perClass.flatMap(({ f1 }) => f1 ?? []);
      const macroF1 = known.length > 0 ? known.reduce((sum, f1) => sum + f1, 0) / known.length : 0;
      return { perClass, multiLabel: { threshold, exactMatch: exact / all, macroF1 } };
    },
  };
}

function fraction(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}
