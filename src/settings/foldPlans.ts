/** Plans of the folds of a cross-validation. */
import { join } from "node:path";
import { foldDirectory } from "../checkpoint/checkpointFiles.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { directoryTaken, type RunLocation, type RunPlan, resolve } from "./resolve.ts";
import { readRunConfig } from "./runConfig.ts";
import type { RunSettings } from "./settings.ts";
import { readSettingsFile } from "./settingsFile.ts";

/** Settings of all folds, and their directory. */
export interface FoldSettings extends Omit<RunSettings, "fold">, RunLocation {}

/** Folds to train. */
export interface FoldPlans {
  readonly directory: string;
  readonly folds: number;
  /** Plan of a fold, from 1: the stored one if it is resumed. Call it once the folds before are trained. */
  planOf(fold: number): Promise<RunPlan>;
}

/**
 * Resolves the settings of a cross-validation. Throws ConfigError for settings that are invalid or differ from those of the folds to resume, and for a directory that
 * contains another run.
 */
export async function planFolds(settings: FoldSettings): Promise<FoldPlans> {
  const { directory, folds, first } = await locate(settings);
  return {
    directory,
    folds,
    planOf: async (fold) => (fold === 1 ? first : undefined) ?? planOfFold(settings, directory, fold),
  };
}

/** Directory and number of folds, and the plan of the first one if it is new. Throws ConfigError for a directory that contains another run. */
async function locate(
  settings: FoldSettings,
): Promise<{ readonly directory: string; readonly folds: number; readonly first?: RunPlan }> {
  const { run, resume, folds } = settings;
  const stored = run === undefined ? undefined : await readRunConfig(foldDirectory(run, 1));
  if (run !== undefined && stored) {
    if (!resume) throw directoryTaken(run);
    if (stored.dataset.folds !== undefined) return { directory: run, folds: stored.dataset.folds };
  }
  if (run !== undefined && (await readRunConfig(run))) {
    throw new ConfigError(`${run}: contains a single run, not folds; choose another directory with --run`);
  }
  if (folds === undefined) throw new UsageError("folds: expected their number, got none; add --folds N");
  const { run: _run, resume: _resume, ...given } = settings;
  if (run !== undefined) return { directory: run, folds };
  const first = await resolve({ ...given, fold: 1 });
  return { directory: first.directory, folds, first: { ...first, directory: foldDirectory(first.directory, 1) } };
}

/** Plan of a fold: the stored one; that of the first fold with another number; or a new one. */
async function planOfFold(settings: FoldSettings, directory: string, fold: number): Promise<RunPlan> {
  const { run: _run, resume, ...given } = settings;
  const run = foldDirectory(directory, fold);
  if (resume && (await readRunConfig(run))) return resolve({ ...given, fold, run, resume });
  const first = foldDirectory(directory, 1);
  if (!resume || !(await readRunConfig(first))) return resolve({ ...given, fold, run });
  const repeated = await readSettingsFile(join(first, "config.json"), { ...given, fold });
  return resolve({ ...repeated.settings, run });
}
