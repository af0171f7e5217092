/** Several runs side by side, as data. */

/** What is compared of a run. Accuracies are fractions; absent figures are not known yet. */
export interface ComparedRun {
  /** Names it in tables and charts. */
  readonly letter: string;
  readonly run: string;
  readonly state: string;
  readonly network: string;
  readonly dataset: string;
  readonly epoch: number;
  readonly epochs: number;
  readonly iteration: number;
  readonly bestAccuracy?: number;
  readonly bestEpoch?: number;
  readonly lastAccuracy?: number;
  readonly lastLoss?: number;
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  readonly examplesPerSecond?: number;
  /** Of training. */
  readonly seconds: number;
  readonly parameters: number;
  /** Of one image forward. */
  readonly macs: number;
  readonly log: readonly ComparedEntry[];
}

/** What is drawn of a line of a log. */
export interface ComparedEntry {
  readonly epoch: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly testAccuracy?: number;
}

/** One setting, with its value in each run. */
export interface SettingRow {
  readonly name: string;
  readonly values: readonly string[];
}

export interface Comparison {
  readonly runs: readonly ComparedRun[];
  readonly settings: readonly SettingRow[];
}

/** Whether a setting is not the same in all runs. */
export function isDifferent({ values }: SettingRow): boolean {
  return new Set(values).size > 1;
}

/** Stands before a value that is not that of the first run. */
export const differenceMark = "≠";
