/** Networks of an ensemble: their common head and classes. */
import { describeHead } from "../checkpoint/metadata.ts";
import { ConfigError } from "../errors.ts";
import { columnsOf } from "../training/evaluation/ensemble.ts";
import { type Thresholds, thresholdOf, thresholdsOf } from "../training/evaluation/multiLabel.ts";
import type { ClassModel } from "./openModel.ts";
import { requireThreshold } from "./predictRows.ts";

/** Throws ConfigError if the heads of the networks differ, or for a threshold that does not apply to them. */
export function checkSameHeads([first, ...others]: readonly ClassModel[], threshold: number | undefined): void {
  if (!first) return;
  const other = others.find(({ model }) => describeHead(model) !== describeHead(first.model));
  if (other) {
    const [expected, got] = [first, other].map(({ model }) => describeHead(model));
    throw new ConfigError(`${other.file}: expected the head of the first run, ${expected}, got ${got}`);
  }
  requireThreshold(threshold);
}

/**
 * Minimum probability of each class that is present: the given one, or the mean of the networks', in the order of the first one's classes. Undefined if
 * none has thresholds, or one of networks with one class per image has none.
 */
export function meanThresholds(opened: readonly ClassModel[], given: number | undefined): Thresholds | undefined {
  const isWithout = ({ head, model }: ClassModel) => !model.thresholds && !head.isMultiLabel;
  if (given !== undefined || opened.some(isWithout) || opened.every(({ model }) => !model.thresholds)) return given;
  const classNames = classesOf(opened);
  const sums = classNames.map(() => 0);
  for (const { file, model } of opened) {
    for (const [c, column] of columnsOf(classNames, model.classNames, file).entries()) {
      sums[c] = (sums[c] as number) + thresholdOf(thresholdsOf(model), column);
    }
  }
  return sums.map((sum) => sum / opened.length);
}

/** The first network's classes, in its order. */
export function classesOf([first]: readonly ClassModel[]): readonly string[] {
  return first?.model.classNames ?? [];
}
