/** Confusion between classes. */
import { DataError } from "../../errors.ts";
import { type Interval, wilsonInterval } from "./intervals.ts";

/** Recognition of one class. All figures are from 0 to 1. */
export interface ClassFigures {
  readonly className: string;
  /** Number of images of this class. */
  readonly images: number;
  /** Number of images of this class for which it was predicted. */
  readonly correct: number;
  /** correct / number of images for which it was predicted; null if there are none. */
  readonly precision: number | null;
  /** correct / images; null without images. */
  readonly recall: number | null;
  /** Wilson intervals of the two, 95 %; null where they are. */
  readonly precisionInterval: Interval | null;
  readonly recallInterval: Interval | null;
  /** Harmonic mean of precision and recall: 2 · correct / (predicted + images); null if it has no images and was never predicted. */
  readonly f1: number | null;
  /** Mean precision over the recalls, of this class against all others; null if it has no images. Absent if images were not ranked. */
  readonly averagePrecision?: number | null;
  /** Area under the ROC curve of this class against all others; null if no image, or every image, has it. Absent if images were not ranked. */
  readonly rocAuc?: number | null;
}

/** Averages over the classes, of images with one class each. */
export interface ClassAverages {
  /** Mean recall of the classes with images; null if fewer than two classes have images. */
  readonly balancedAccuracy: number | null;
  /** Mean of all defined F1 scores. */
  readonly macroF1: number;
  /** F1 score of all decisions together: the accuracy, if each image has one class. */
  readonly microF1: number;
  /** Mean of the F1 scores, weighted by the images of each class. */
  readonly weightedF1: number;
}

/** Numbers of a class: images that have it, images for which it is predicted, and images of both. */
export interface ClassCounts {
  images: number;
  predicted: number;
  correct: number;
}

/** Figures of a class. */
export function classFigures(className: string, { images, predicted, correct }: Readonly<ClassCounts>): ClassFigures {
  return {
    className,
    images,
    correct,
    precision: fraction(correct, predicted),
    recall: fraction(correct, images),
    precisionInterval: wilsonInterval(correct, predicted),
    recallInterval: wilsonInterval(correct, images),
    f1: fraction(2 * correct, predicted + images),
  };
}

/** Averages over the classes. Source: balanced_accuracy_score and f1_score of sklearn.metrics. */
export function classAverages(perClass: readonly ClassFigures[]): ClassAverages {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const images = sum(perClass.map((own) => own.images));
  const recalls = perClass.flatMap(({ recall }) => recall ?? []);
  const scores = perClass.flatMap(({ f1 }) => f1 ?? []);
  return {
    balancedAccuracy: recalls.length > 1 ? sum(recalls) / recalls.length : null,
    macroF1: sum(scores) / scores.length,
    microF1: sum(perClass.map(({ correct }) => correct)) / images,
    weightedF1: sum(perClass.map((own) => own.images * (own.f1 ?? 0))) / images,
  };
}

/** part / whole; null if the whole is 0. */
export function fraction(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** Number of images of one class for which another was predicted. */
export interface Confusion {
  readonly className: string;
  readonly predicted: string;
  readonly images: number;
}

export interface ConfusionCounter {
  add(label: number, predicted: number): void;
  /** Computes precision and recall. Rows of `confusion` are classes, columns predicted classes. */
  result(): { readonly perClass: readonly ClassFigures[]; readonly confusion: readonly (readonly number[])[] };
}

export function countConfusion(classNames: readonly string[]): ConfusionCounter {
  const classes = classNames.length;
  const counts = new Uint32Array(classes * classes);
  const isClass = (c: number) => Number.isInteger(c) && c >= 0 && c < classes;
  return {
    add(label, predicted) {
      if (!isClass(label) || !isClass(predicted)) {
        throw new DataError(`confusion: expected classes from 0 to ${classes - 1}, got ${label} and ${predicted}`);
      }
      const cell = label * classes + predicted;
      counts[cell] = (counts[cell] as number) + 1;
    },
    result() {
      const confusion = classNames.map((_, c) => [...counts.subarray(c * classes, (c + 1) * classes)]);
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      const perClass = classNames.map((className, c) =>
        classFigures(className, {
          images: sum(confusion[c] ?? []),
          predicted: sum(confusion.map((row) => row[c] as number)),
          correct: confusion[c]?.[c] as number,
        }),
      );
      return { perClass, confusion };
    },
  };
}

/** The pairs of confused classes, the most frequent first; equal ones are in the order of the classes. */
export function frequentConfusions(
  { perClass, confusion }: ReturnType<ConfusionCounter["result"]>,
  limit: number,
): readonly Confusion[] {
  const nameOf = (c: number) => perClass[c]?.className ?? "";
  return confusion
    .flatMap((row, c) =>
      row.flatMap((images, p) => (p !== c && images > 0 ? { className: nameOf(c), predicted: nameOf(p), images } : [])),
    )
    .sort((a, b) => b.images - a.images)
    .slice(0, limit);
}
