/** Callbacks of a training run. */
import type { LogEntry, RollbackEntry } from "../checkpoint/runLog.ts";
import type { RunConfig } from "../settings/runConfig.ts";

/** Progress of training. */
export interface TrainProgress {
  /** Epochs so far, fractional, and in total. */
  readonly epoch: number;
  readonly epochs: number;
  /** Training images so far, and in total. */
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
