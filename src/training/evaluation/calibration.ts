/** Calibration of probabilities: of the images predicted with 80 %, are 80 % right? */
import { DataError } from "../../errors.ts";

/** Predictions of about the same probability. */
export interface CalibrationBin {
  /** Probabilities above `from`, up to and including `to`. */
  readonly from: number;
  readonly to: number;
  readonly images: number;
  /** Mean probability of the class predicted; null without images. */
  readonly confidence: number | null;
  /** Fraction of them that are right; null without images. */
  readonly accuracy: number | null;
}

/** Agreement of predicted probabilities with observed accuracy. */
export interface Calibration {
  /** Σ images · |accuracy − confidence| / Σ images over the bins: the expected calibration error. */
  readonly error: number;
  /** Mean probability of the class predicted, over all; higher than the accuracy is over-confident. */
  readonly confidence: number;
  readonly bins: readonly CalibrationBin[];
}

export interface CalibrationCounter {
  /** `probability` is that of the class predicted. Throws DataError if it is none. */
  add(probability: number, isCorrect: boolean): void;
  result(): Calibration;
}

/** Source: Guo et al. 2017, “On calibration of modern neural networks”: 15 bins of equal width. */
const BINS = 15;

/** Starts counting. */
export function countCalibration(): CalibrationCounter {
  const images = new Uint32Array(BINS);
  const correct = new Uint32Array(BINS);
  const sums = new Float64Array(BINS);
  return {
    add(probability, isCorrect) {
      if (!(probability >= 0 && probability <= 1)) {
        throw new DataError(`calibration: expected a probability from 0 to 1, got ${probability}`);
      }
      const bin = Math.min(Math.max(Math.ceil(probability * BINS) - 1, 0), BINS - 1);
      images[bin] = (images[bin] as number) + 1;
      correct[bin] = (correct[bin] as number) + (isCorrect ? 1 : 0);
      sums[bin] = (sums[bin] as number) + probability;
    },
    result() {
      const bins = Array.from(images, (count, bin) => ({
        from: bin / BINS,
        to: (bin + 1) / BINS,
        images: count,
        confidence: count > 0 ? (sums[bin] as number) / count : null,
        accuracy: count > 0 ? (correct[bin] as number) / count : null,
      }));
      const all = images.reduce((sum, count) => sum + count, 0);
      const gaps = bins.map((bin) => bin.images * Math.abs((bin.accuracy ?? 0) - (bin.confidence ?? 0)));
      const total = (values: Iterable<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);
      return { error: total(gaps) / all, confidence: total(sums) / all, bins };
    },
  };
}
