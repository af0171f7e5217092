/** `interrupted`: stopped or killed before its last epoch; it can be resumed. */
export type RunState = "running" | "finished" | "interrupted" | "diverged";

/** Weights that were not trained in their directory: `import` made it. */
export interface ImportedRun {
  readonly run: string;
  readonly state: "imported";
  readonly network: string;
  readonly classes: number;
}

/** The figures of a run; those that are not known yet are absent. Accuracies are fractions. */
export interface RunFigures {
  readonly run: string;
  readonly state: RunState;
  readonly network: string;
  readonly dataset: string;
  readonly epoch: number;
  readonly epochs: number;
  readonly iteration: number;
  /** On the images that training is watched by. */
  readonly bestAccuracy?: number;
  readonly bestEpoch?: number;
  readonly lastAccuracy?: number;
  readonly lastLoss?: number;
  /** Over the last line of the log. */
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  /** Over all of its training. */
  readonly examplesPerSecond?: number;
  /** Of training, evaluations and interruptions apart. */
  readonly seconds: number;
  readonly started: string;
  readonly divergence?: string;
}
