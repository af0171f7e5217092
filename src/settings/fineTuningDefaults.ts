/** Settings of a fine-tuned run that follow from the number of its images. */
import type { Recipe } from "../training/recipe.ts";
import type { Members } from "./setting.ts";
import type { RunSettings } from "./settings.ts";

/** Values of a recipe that depend on the number of images. */
export type SizedKey = "epochs" | "batchSize" | "schedule";

/** Steps of a medium set, before batches are rounded down; 400 reach the figures of docs/results.md on 100 images. */
const STEPS = 600;
const batches = { least: 8, most: 64 } as const;
const epochs = { least: 4, most: 40 } as const;

/** Epochs, batches and schedule for a number of images: batches of about √n images, and epochs for about 600 steps. */
export function fineTuningDefaults(images: number): Pick<Recipe, SizedKey> {
  const root = Math.sqrt(Math.max(images, 1));
  return {
    epochs: clamp(Math.round(STEPS / root), epochs),
    batchSize: clamp(2 ** Math.floor(Math.log2(root)), batches),
    schedule: { kind: "cosine", floor: 0 },
  };
}

/** Keys that no setting determines: none if a recipe is given. `places` are values at paths in the recipe, such as `schedule.floor`. */
export function openKeys(given: RunSettings, places: Members): readonly SizedKey[] {
  if (given.recipe !== undefined) return [];
  const placed = Object.keys(places).map((place) => place.split(".")[0]);
  const isOpen: Readonly<Record<SizedKey, boolean>> = {
    epochs: given.epochs === undefined,
    batchSize: given.batchSize === undefined,
    schedule: [given.schedule, given.everyEpochs, given.everyFraction].every((value) => value === undefined),
  };
  return (Object.keys(isOpen) as SizedKey[]).filter((key) => isOpen[key] && !placed.includes(key));
}

/** The recipe with the defaults of its open keys, and the message that says so; undefined without such a key. */
export function withFineTuningDefaults(
  recipe: Recipe,
  open: readonly SizedKey[],
  images: number,
): { readonly recipe: Recipe; readonly message: string } | undefined {
  if (open.length === 0) return undefined;
  const defaults = fineTuningDefaults(images);
  const texts: Readonly<Record<SizedKey, string>> = {
    epochs: `${defaults.epochs} epochs`,
    batchSize: `batches of ${defaults.batchSize}`,
    schedule: `${defaults.schedule.kind} schedule`,
  };
  return {
    recipe: { ...recipe, ...Object.fromEntries(open.map((key) => [key, defaults[key]])) },
    message: `fine-tuning: ${open.map((key) => texts[key]).join(", ")} (defaults for ${images} images)`,
  };
}

function clamp(value: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(Math.max(value, least), most);
}
