/** Plan of a sweep over settings, as data, and its trials. */

import { readFile } from "node:fs/promises";
import * as z from "zod";
import { ConfigError, messageOf } from "../errors.ts";
import { fillUniform, randomStream } from "../random.ts";
import { describeValues } from "../report/tables/sweepTable.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import { type RunPlan, resolve } from "../settings/resolve.ts";
import { overridden, type SettingTable, settingsSchema } from "../settings/setting.ts";
import { type RecipeOverrides, type RunSettings, settings } from "../settings/settings.ts";
import { recipeSchema } from "../training/recipe.ts";

/** Schema of the settings that a sweep accepts, as JSON. */
export function sweepBaseSchema<T extends SettingTable>(table: T) {
  const rows = Object.entries(table).filter(([, { commands }]) => commands.includes("sweep"));
  return settingsSchema(Object.fromEntries(rows) as T);
}

const baseSchema = sweepBaseSchema(settings);

/** Values to choose from. */
const valuesSchema = z.array(z.json()).min(1);

/** Interval to draw numbers from, on a linear or logarithmic scale. */
const intervalSchema = z
  .strictObject({
    min: z.number(),
    max: z.number(),
    scale: z.enum(["linear", "log"]).default("linear"),
    /** Integers only. */
    integer: z.boolean().default(false),
  })
  .refine(({ min, max }) => min < max, "expected min below max")
  .refine(({ min, scale }) => scale === "linear" || min > 0, "expected min above 0 for scale log");

/**
 * Either every combination of the values in `grid`, the last key varying fastest; or random draws from `random.space`; or the trials of a list, each
 * with its values.
 */
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
    trials: z.array(z.record(z.string(), z.json())).min(1).optional(),
  })
  .refine(
    ({ grid, random, trials }) => [grid, random, trials].filter((one) => one !== undefined).length === 1,
    "expected one of grid, random and trials",
  );

export type SweepPlan = z.infer<typeof sweepPlanSchema>;

/** Settings that vary between trials, by their keys in the plan. */
export type TrialValues = Readonly<Record<string, z.infer<ReturnType<typeof z.json>>>>;

/** Search space of random trials. */
interface RandomSpace {
  readonly trials: number;
  readonly seed: number;
  readonly space: Readonly<Record<string, z.infer<typeof valuesSchema> | z.infer<typeof intervalSchema>>>;
}

/** A run of a sweep. */
export interface Trial {
  /** Counted from 1. */
  readonly number: number;
  readonly values: TrialValues;
  /** All settings; single recipe values are in the recipe. */
  readonly settings: RunSettings;
  readonly plan: RunPlan;
}

/** Reads a plan from a JSON file. Throws ConfigError naming every invalid key and value. */
export async function readSweepPlan(path: string): Promise<SweepPlan> {
  try {
    return sweepPlanSchema.parse(parseJsonText(await readFile(path, "utf8")));
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new ConfigError(`${path}: expected a sweep (see alexnet sweep --help): ${detail}`, { cause });
  }
}

/** All trials are resolved before the first one starts. */
const MAX_TRIALS = 10_000;

/** Resolves the trials of a plan. Throws ConfigError naming the trial and the invalid key or value. */
export async function trialsOf(plan: SweepPlan): Promise<readonly Trial[]> {
  const space = plan.grid ?? plan.random?.space ?? {};
  const keys = new Set(plan.trials ? plan.trials.flatMap((values) => Object.keys(values)) : Object.keys(space));
  for (const key of keys) refuseUnknown(key);
  const count =
    plan.trials?.length ??
    plan.random?.trials ??
    Object.values(plan.grid ?? {}).reduce((product, { length }) => product * length, 1);
  if (count > MAX_TRIALS) {
    throw new ConfigError(
      `sweep: expected at most ${MAX_TRIALS} trials, got ${count}; use fewer values or random trials`,
    );
  }
  const all = plan.trials ?? (plan.random ? randomValues(plan.random) : gridValues(plan.grid ?? {}));
  return Promise.all(
    all.map(async (values, i) => {
      try {
        return { number: i + 1, values, ...(await resolveTrial(plan.base, values)) };
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        throw new ConfigError(`trial ${i + 1} (${describeValues(values)}): ${error.message}`, { cause: error });
      }
    }),
  );
}

const recipeKeys: readonly string[] = Object.keys(recipeSchema.shape);
const settingKeys = Object.entries(settings).flatMap(([key, { commands }]) => (isSwept(commands) ? [key] : []));

function isSwept(commands: readonly string[]): boolean {
  return commands.includes("sweep");
}

function refuseUnknown(key: string): void {
  const [first = ""] = key.split(".");
  if (recipeKeys.includes(first) || settingKeys.includes(key)) return;
  const known = [...new Set([...settingKeys, ...recipeKeys])].sort().join(", ");
  throw new ConfigError(
    `sweep: unknown setting "${key}"; expected one of ${known}, or a path in a recipe such as optimizer.momentum`,
  );
}

/** A trial's values override those of the base; a key that is not a setting is a path in the recipe. */
async function resolveTrial(base: RunSettings, values: TrialValues): Promise<Pick<Trial, "settings" | "plan">> {
  const isSetting = ([key]: readonly [string, unknown]) => settingKeys.includes(key);
  const entries = Object.entries(values);
  const parsed = baseSchema.safeParse(overridden(base, Object.fromEntries(entries.filter(isSetting)), settings));
  if (!parsed.success) throw new ConfigError(problemsOf(parsed.error));
  const places = Object.fromEntries(entries.filter((entry) => !isSetting(entry)));
  const plan = await resolve(parsed.data, { places });
  return { settings: { ...withoutOverrides(parsed.data), recipe: plan.recipe }, plan };
}

function withoutOverrides(given: RunSettings): Omit<RunSettings, keyof RecipeOverrides> {
  const rows: SettingTable = settings;
  return Object.fromEntries(Object.entries(given).filter(([key]) => !rows[key]?.place.startsWith("recipe.")));
}

/** Every combination of the values, the last key varying fastest. */
function gridValues(grid: Readonly<Record<string, z.infer<typeof valuesSchema>>>): readonly TrialValues[] {
  return Object.entries(grid).reduce<readonly TrialValues[]>(
    (made, [key, values]) => made.flatMap((trial) => values.map((value) => ({ ...trial, [key]: value }))),
    [{}],
  );
}

/** A value is a function of (seed, key, trial), so adding trials or keys does not change the others. */
function randomValues({ trials, seed, space }: RandomSpace): readonly TrialValues[] {
  const draw = new Float64Array(1);
  return Array.from({ length: trials }, (_, trial) =>
    Object.fromEntries(
      Object.entries(space).map(([key, of]) => {
        fillUniform(randomStream(seed, `sweep:${key}`), trial, draw);
        return [
          key,
          Array.isArray(of) ? (of[Math.floor((draw[0] as number) * of.length)] ?? null) : within(of, draw[0] as number),
        ];
      }),
    ),
  );
}

/** Value at a fraction of an interval, rounded to four digits, so that the displayed value is the one trained with. */
function within({ min, max, scale, integer }: z.infer<typeof intervalSchema>, fraction: number): number {
  const top = integer ? max + 1 : max;
  const value = scale === "log" ? min * (top / min) ** fraction : min + fraction * (top - min);
  return integer ? Math.min(Math.floor(value), max) : Math.min(Math.max(Number(value.toPrecision(4)), min), max);
}
