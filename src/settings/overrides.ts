/** Recipes with single values replaced. */
import { parseRecipe, type Recipe } from "../training/recipe.ts";
import { type Members, type SettingTable, withPlace } from "./setting.ts";
import { type RecipeOverrides, settings } from "./settings.ts";

/**
 * A recipe with the settings that are values of one, then with values at places such as `augmentation.flip`, checked together: one may fit with
 * another only.
 *
 * Throws ConfigError naming what does not fit.
 */
export function withOverrides(
  base: Recipe,
  given: RecipeOverrides | Members,
  places: Members = {},
  table: SettingTable = settings,
): Recipe {
  const placed = Object.entries(places).reduce<Members>(
    (recipe, [place, value]) => withPlace(recipe, place, value),
    written(base, given, table),
  );
  return parseRecipe(placed, `recipe ${base.name}`);
}

/** A recipe with the settings that are values of one, not checked. */
export function written(base: Recipe, given: object, table: SettingTable): Members {
  return Object.entries(table).reduce<Members>((recipe, [key, { place, write }]) => {
    const value = (given as Members)[key];
    if (value === undefined || !place.startsWith("recipe.")) return recipe;
    return write ? write(recipe, value) : withPlace(recipe, place.slice("recipe.".length), value);
  }, base);
}
