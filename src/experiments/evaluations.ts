/** Evaluations of the networks of an experiment, each stored once made. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { checkpointFiles } from "../checkpoint/checkpointFiles.ts";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { evaluateEnsemble } from "../model/evaluateEnsemble.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { parseJsonText } from "../schema.ts";
import type { Values } from "./armResults.ts";
import type { EvaluationSpec } from "./experiment.ts";
import type { ScaledExperiment } from "./scaledExperiment.ts";
import type { MeasuredTrial } from "./trials.ts";

const storedSchema = z.record(z.string(), z.record(z.string(), z.number()));

/** Errors by arm and evaluation. */
export type Evaluated = z.infer<typeof storedSchema>;

/** Images computed at a time. */
const BATCH = 64;

/** Options of the evaluations of a seed. */
export interface EvaluateSeedOptions extends Pick<OpenOptions, "engine" | "threads"> {
  /** Folder of the seed, in which evaluations.json is kept. */
  readonly folder: string;
  /** Output directory, which contains the runs. */
  readonly output: string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((images: number, of: number) => void) | undefined;
}

/**
 * Makes the evaluations that are not stored yet, with the last weights of the runs. An arm with a network that diverged has none. Returns undefined if it was aborted.
 *
 * Throws CheckpointError if evaluations.json is not a file of evaluations.
 */
export async function evaluateSeed(
  { base, arms, evaluations = [], overrides }: ScaledExperiment,
  trials: readonly MeasuredTrial[],
  { folder, output, signal, onProgress, ...opening }: EvaluateSeedOptions,
): Promise<Evaluated | undefined> {
  const file = join(folder, "evaluations.json");
  let made = await readEvaluations(file);
  for (const { name: arm } of arms) {
    const own = trials.filter(({ trial }) => trial.arm.name === arm);
    if (own.some(({ status }) => status === "diverged")) continue;
    for (const { name, networks, tenCrop, flip, samples, split, limit } of evaluations) {
      if (made[arm]?.[name] !== undefined) continue;
      const paths = own.slice(0, networks).map(({ run }) => checkpointFiles(join(output, run)).last);
      const most = evaluationLimit({ ...base, ...own[0]?.trial.values }, overrides, { split, limit });
      const evaluation = await evaluateEnsemble(paths, {
        ...opening,
        batchSize: BATCH,
        signal,
        ...(tenCrop ? { tenCrop } : {}),
        ...(flip ? { flip } : {}),
        ...(samples === undefined ? {} : { samples }),
        ...(split ? { split } : {}),
        ...(most === undefined ? {} : { limit: most }),
        ...(onProgress ? { onProgress } : {}),
      });
      if (!evaluation) return undefined;
      made = { ...made, [arm]: { ...made[arm], [name]: 1 - evaluation.top1Accuracy } };
      await writeFileDurably(file, `${JSON.stringify(made, undefined, 2)}\n`);
    }
  }
  return made;
}

/** Number of images: training images are those of the run, others those of the changed settings, of the evaluation or of the run. */
export function evaluationLimit(
  settings: Values,
  overrides: Values,
  { split, limit }: { readonly [K in "split" | "limit"]: EvaluationSpec[K] | undefined },
): number | undefined {
  const given =
    split === "train" ? [settings["trainLimit"], limit] : [overrides["testLimit"], limit, settings["testLimit"]];
  return given.find((each): each is number => typeof each === "number");
}

async function readEvaluations(file: string): Promise<Evaluated> {
  try {
    return storedSchema.parse(parseJsonText(await readFile(file, "utf8")));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return {};
    throw new CheckpointError(`${file}: not a file of evaluations (${messageOf(cause)}); remove it to evaluate again`, {
      cause,
    });
  }
}
