/** Figures of a log, accumulated line by line in constant memory. */
import { type EvaluationEntry, isEvaluation, type LogEntry } from "../checkpoint/runLog.ts";
import { type EarlyStoppingState, initialEarlyStopping, stopsEarly, watch } from "../training/earlyStopping.ts";
import { isBetter } from "../training/monitor.ts";
import type { Recipe } from "../training/recipe.ts";

/** The newest and the best lines of a log; undefined until there are any. */
export interface LogTail {
  readonly last: LogEntry | undefined;
  readonly lastEvaluation: EvaluationEntry | undefined;
  /** The best evaluation, by the recipe's monitored figure. */
  readonly best: EvaluationEntry | undefined;
  /** True if the last epoch is done, or early stopping ended the run. */
  readonly isTrained: boolean;
}

/** A tail while the lines of a log arrive. */
export interface TailCollector {
  add(entry: LogEntry): void;
  tail(): LogTail;
}

/** Collects the tail of a log. */
export function collectTail({ epochs, earlyStopping, monitor }: Recipe): TailCollector {
  let last: LogEntry | undefined;
  let lastEvaluation: EvaluationEntry | undefined;
  let best: EvaluationEntry | undefined;
  let stopping: EarlyStoppingState = initialEarlyStopping;
  return {
    add(entry) {
      last = entry;
      if (!isEvaluation(entry)) return;
      lastEvaluation = entry;
      if (!best || isBetter(monitor, entry, best)) best = entry;
      // Evaluations within an epoch come from --max-minutes, and patience does not count them.
      if (Number.isInteger(entry.epoch)) stopping = watch(earlyStopping, stopping, entry, monitor);
    },
    tail() {
      const isTrained = (last?.epoch ?? 0) >= epochs || stopsEarly(earlyStopping, stopping);
      return { last, lastEvaluation, best, isTrained };
    },
  };
}
