/** A sweep over settings as data: which trials there are, and which settings each has. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { findDataset } from "../dataset/sources/datasets.ts";
import { engineNames } from "../engine/select/engineNames.ts";
import { precisionNames } from "../engine/select/precision.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { augmentationNames } from "../image/augment/augmentation.ts";
import { fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import { describeValues } from "../report/tables/sweepTable.ts";
import { divergenceActions } from "../settings/divergencePolicy.ts";
import { resolveNetwork, resolveRecipe } from "../settings/settings.ts";
import { defaultRecipe, type RunSettings } from "../trainer/runSetup.ts";
import { classWeightsSchema } from "../training/objective/classWeights.ts";
import { optimizerNames } from "../training/optimizers/optimizers.ts";
import { normalizationNames, parseRecipe, recipeSchema } from "../training/recipe.ts";
import { samplerNames } from "../training/sampler.ts";
import { scheduleNames } from "../training/schedule.ts";
import { gridValues, intervalSchema, randomValues, type TrialValues, valuesSchema } from "./sweepValues.ts";

/** Settings of `train` beside the recipe, by the names that its options have in the library. */
const settingsSchema = z.object({
  dataset: z.string().exactOptional(),
  dataDir: z.string().exactOptional(),
  network: z.string().exactOptional(),
  recipe: z.string().exactOptional(),
  inputSize: z.int().positive().exactOptional(),
  trainLimit: z.int().positive().exactOptional(),
  testLimit: z.int().positive().exactOptional(),
  validationShare: z.number().min(0).lt(1).exactOptional(),
  maxBad: z.number().min(0).lt(1).exactOptional(),
  engine: z.enum(engineNames).exactOptional(),
  precision: z.enum(precisionNames).exactOptional(),
  exact: z.boolean().exactOptional(),
  threads: z.int().positive().exactOptional(),
  onDivergence: z.enum(divergenceActions).exactOptional(),
  rollbackFactor: z.number().positive().lt(1).exactOptional(),
  maxRollbacks: z.int().positive().exactOptional(),
});

/** Single values of the recipe, by the same. */
const overridesSchema = z.object({
  epochs: z.number().positive().exactOptional(),
  batchSize: z.int().positive().exactOptional(),
  learningRate: z.number().positive().exactOptional(),
  momentum: z.number().min(0).lt(1).exactOptional(),
  weightDecay: z.number().min(0).exactOptional(),
  optimizer: z.enum(optimizerNames).exactOptional(),
  nesterov: z.boolean().exactOptional(),
  clipNorm: z.number().positive().exactOptional(),
  accumulate: z.int().positive().exactOptional(),
  average: z.number().positive().lt(1).exactOptional(),
  schedule: z.enum(scheduleNames).exactOptional(),
  warmup: z.number().min(0).exactOptional(),
  labelSmoothing: z.number().min(0).lt(1).exactOptional(),
  mixup: z.number().min(0).exactOptional(),
  classWeights: classWeightsSchema.exactOptional(),
  sampler: z.enum(samplerNames).exactOptional(),
  earlyStopping: z.int().positive().exactOptional(),
  seed: z.int().min(0).max(0xffffffff).exactOptional(),
  fit: z.enum(fitNames).exactOptional(),
  filter: z.enum(filters).exactOptional(),
  normalization: z.enum(normalizationNames).exactOptional(),
  augment: z.array(z.enum(augmentationNames)).exactOptional(),
});

/** What all trials have in common. */
const baseSchema = z.strictObject({ ...settingsSchema.shape, ...overridesSchema.shape });

/** Either every combination of the values of `grid`, the last key's changing first; or so many draws from `random.space`. */
export const sweepPlanSchema = z
  .strictObject({
    base: baseSchema.prefault({}),
    grid: z.record(z.string(), valuesSchema).optional(),
    random: z
      .strictObject({
        trials: z.int().positive(),
        seed: z.int().min(0).max(0xffffffff).default(0),
        space: z.record(z.string(), z.union([valuesSchema, intervalSchema])),
      })
      .optional(),
  })
  .refine(({ grid, random }) => (grid === undefined) !== (random === undefined), "expected either grid or random");

export type SweepPlan = z.infer<typeof sweepPlanSchema>;

/** A run of a sweep. */
export interface Trial {
  /** From 1 on. */
  readonly number: number;
  readonly values: TrialValues;
  readonly settings: RunSettings;
}

/** Reads a plan from a JSON file. Throws ConfigError naming every key and value that does not fit. */
export async function readSweepPlan(path: string): Promise<SweepPlan> {
  try {
    return sweepPlanSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new ConfigError(`${path}: expected a sweep (see alexnet sweep --help): ${detail}`, { cause });
  }
}

/** The trials of a plan, each checked. Throws ConfigError naming the trial and the key or value that does not fit. */
export async function trialsOf(plan: SweepPlan): Promise<readonly Trial[]> {
  const space = plan.grid ?? plan.random?.space ?? {};
  const keys = Object.keys(space);
  for (const key of keys) refuseUnknown(key);
  const all = plan.random ? randomValues(plan.random) : gridValues(plan.grid ?? {});
  return Promise.all(
    all.map(async (values, i) => {
      try {
        return { number: i + 1, values, settings: await settingsOf(plan.base, values) };
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        throw new ConfigError(`trial ${i + 1} (${describeValues(values)}): ${error.message}`, { cause: error });
      }
    }),
  );
}

const recipeKeys: ReadonlySet<string> = new Set(Object.keys(recipeSchema.shape));
const settingKeys: ReadonlySet<string> = new Set(Object.keys(baseSchema.shape));

function refuseUnknown(key: string): void {
  const [first = ""] = key.split(".");
  if (recipeKeys.has(first) || settingKeys.has(key)) return;
  const known = [...new Set([...settingKeys, ...recipeKeys])].sort().join(", ");
  throw new ConfigError(
    `sweep: there is no setting "${key}"; expected one of ${known}, or a place in a recipe such as optimizer.momentum`,
  );
}

/** What a recipe has an object for, or has for lack of anything else, and a setting a name or a number. */
const besideRecipe: ReadonlySet<string> = new Set(["network", "optimizer", "schedule", "earlyStopping"]);

async function settingsOf(base: SweepPlan["base"], values: TrialValues): Promise<RunSettings> {
  const isOfRecipe = ([key, value]: readonly [string, unknown]) =>
    recipeKeys.has(key.split(".")[0] as string) && !(besideRecipe.has(key) && typeof value !== "object");
  const entries = Object.entries(values);
  const own = Object.fromEntries(entries.filter((entry) => !isOfRecipe(entry)));
  const parsed = baseSchema.safeParse({ ...base, ...own });
  if (!parsed.success) throw new ConfigError(z.prettifyError(parsed.error));
  const given = parsed.data;
  if (given.network !== undefined) await resolveNetwork(given.network);
  const source = await findDataset(given.dataset, given);
  const common = await resolveRecipe(given.recipe ?? defaultRecipe(source, given), given);
  const places = entries.filter(isOfRecipe);
  // Checked when all are in their places: one value may fit with another only.
  const changed = places.reduce<unknown>((made, [key, value]) => replaced(made, key.split("."), value), common);
  const recipe = parseRecipe(changed, "recipe");
  // What was set beside the recipe is in it now, and must not be set once more over a trial's own.
  return { ...settingsSchema.parse(given), recipe };
}

/** A copy of JSON with a value at a place in it. */
function replaced(object: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const members: Readonly<Record<string, unknown>> = z.record(z.string(), z.unknown()).catch({}).parse(object);
  return { ...members, [key]: replaced(members[key], rest, value) };
}
