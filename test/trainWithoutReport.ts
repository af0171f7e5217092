/** Training of which a test looks at weights, log and checkpoints only. */
import { type TrainOptions, type TrainResult, trainClassifier } from "../src/trainer/trainClassifier.ts";

/**
 * Trains to the end of the last epoch and stops there: the report, which nothing is asked of here, takes several times as long as a tiny run. A run that
 * ends before, by a signal or for divergence, ends as it does by itself.
 */
export function trainWithoutReport(options: TrainOptions): Promise<TrainResult> {
  const { observer, signal } = options;
  const stop = new AbortController();
  let epochs = Number.POSITIVE_INFINITY;
  return trainClassifier({
    ...options,
    signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    observer: {
      ...observer,
      onStart(run) {
        epochs = run.config.recipe.epochs;
        observer?.onStart?.(run);
      },
      onEpoch(entry) {
        observer?.onEpoch?.(entry);
        if (entry.epoch >= epochs) stop.abort();
      },
    },
  });
}
