/** Callbacks of a training run. */
import type { LogEntry, RollbackEntry } from "../checkpoint/runLog.ts";
import type { RunConfig } from "../settings/runConfig.ts";

/** Progress of training. */
export interface TrainProgress {
  /** Passes through the training set so far, fractional, and in all. */
  readonly epoch: number;
  readonly epochs: number;
  /** Training images so far, and in all. */
  readonly images: number;
  readonly totalImages: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly accuracy: number;
  /** Mean over the last few iterations. */
  readonly examplesPerSecond: number;
}

/** Callbacks of a run. */
export interface TrainObserver {
  /** `epoch` and `iteration` are those at which training begins: above 0 when a run is resumed. */
  onStart?(run: {
    readonly directory: string;
    readonly config: RunConfig;
    readonly epoch: number;
    readonly iteration: number;
  }): void;
  /** Facts and warnings for people. */
  onMessage?(message: string): void;
  /** While a data set is downloaded. */
  onDownload?(bytes: number, of: number): void;
  /** While a folder's images are decoded into the cache. */
  onPacking?(images: number, of: number): void;
  /** While the output of frozen layers is computed for the cache. */
  onFeatures?(images: number, of: number): void;
  /** Called after each iteration. */
  onProgress?(progress: TrainProgress): void;
  /** Called after each evaluated batch. */
  onEvaluationProgress?(images: number, of: number): void;
  /** Each line of the log except those of rollbacks. */
  onLog?(entry: LogEntry): void;
  /** Training has rolled back to an iteration; lines of later ones come again. */
  onRollback?(entry: RollbackEntry): void;
  /** Called after each epoch, with its line of log.jsonl. */
  onEpoch?(entry: LogEntry): void;
}
