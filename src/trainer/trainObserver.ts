/** Callbacks of a training run. */
import type { LogEntry, RollbackEntry } from "../checkpoint/runLog.ts";
import type { RunConfig } from "../settings/runConfig.ts";

/** Progress of training. */
export interface TrainProgress {
  /** Epochs so far; fractional within one. */
  readonly epoch: number;
  /** Epochs in total. */
  readonly epochs: number;
  /** Training images so far, each counted once per epoch. */
  readonly images: number;
  /** Training images in total. */
  readonly totalImages: number;
  /** Mean cross-entropy over the epoch so far, natural logarithm. */
  readonly loss: number;
  /** Fraction of correctly classified images over the epoch so far. */
  readonly accuracy: number;
  /** Training images per second over the last few iterations. */
  readonly examplesPerSecond: number;
}

/** Callbacks of a run. */
export interface TrainObserver {
  /** Called when training begins. `epoch` and `iteration` are above 0 if a run is resumed. */
  onStart?(run: {
    readonly directory: string;
    readonly config: RunConfig;
    readonly epoch: number;
    readonly iteration: number;
  }): void;
  /** Called with notes and warnings. */
  onMessage?(message: string): void;
  /** Called while a data set is downloaded. */
  onDownload?(bytes: number, of: number): void;
  /** Called while a folder's images are decoded into the cache. */
  onPacking?(images: number, of: number): void;
  /** Called while the output of frozen layers is computed for the cache. */
  onFeatures?(images: number, of: number): void;
  /** Called after each iteration. */
  onProgress?(progress: TrainProgress): void;
  /** Called after each evaluated batch. */
  onEvaluationProgress?(images: number, of: number): void;
  /** Called with each line of the log except those of rollbacks. */
  onLog?(entry: LogEntry): void;
  /** Called after a rollback to an iteration; log lines of later iterations are repeated. */
  onRollback?(entry: RollbackEntry): void;
  /** Called after each epoch, with its line of log.jsonl. */
  onEpoch?(entry: LogEntry): void;
}
