/** Confusion between classes. */
import { DataError } from "../../errors.ts";

/** Recognition of one class. Precision, recall and F1 are from 0 to 1. */
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
  /** Harmonic mean of the two, for a multi-label network; null if it has no images and was never predicted. */
  readonly f1?: number | null;
  /** Mean precision over the recalls, for a multi-label network; null if it has no images. */
  readonly averagePrecision?: number | null;
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
      return { perClass: classFigures(classNames, confusion), confusion };
    },
  };
}

function classFigures(
  classNames: readonly string[],
  confusion: readonly (readonly number[])[],
): readonly ClassFigures[] {
  const predicted = classNames.map((_, c) => confusion.reduce((sum, row) => sum + (row[c] as number), 0));
  return classNames.map((className, c) => {
    const row = confusion[c] ?? [];
    const [correct, times] = [row[c] as number, predicted[c] as number];
    const images = row.reduce((sum, count) => sum + count, 0);
    const precision = times > 0 ? correct / times : null;
    return { className, images, correct, precision, recall: images > 0 ? correct / images : null };
  });
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
