/** Several runs side by side, as data. */
import type { RunFigures } from "./runFigures.ts";

/** What is compared of a run. */
export interface ComparedRun extends Omit<RunFigures, "started" | "divergence"> {
  /** Names it in tables and charts. */
  readonly letter: string;
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
