/** Recipes with single values replaced. */
import { parseRecipe, type Recipe } from "../training/recipe.ts";
import { type Members, replaced, type SettingTable, withoutAlternatives } from "./setting.ts";
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
    (recipe, [place, value]) => replaced(recipe, place, value),
    withoutAlternatives(written(base, given, table), Object.keys(places)),
  );
  return parseRecipe(placed, `recipe ${base.name}`);
}

/** A recipe with the settings that are values of one, not checked. */
export function written(base: Recipe, given: object, table: SettingTable): Members {
  const rows = Object.entries(table).flatMap(([key, { place, write, isKind = false }]) => {
    const value = (given as Members)[key];
    if (value === undefined || !place.startsWith("recipe.")) return [];
    return [{ place: place.slice("recipe.".length), write, isKind, value }];
  });
  const apply = (recipe: Members, { place, write, value }: (typeof rows)[number]) =>
    write ? write(recipe, value) : replaced(recipe, place, value);
  const [kinds, singles] = [rows.filter(({ isKind }) => isKind), rows.filter(({ isKind }) => !isKind)];
  const places = singles.map(({ place }) => place);
  return singles.reduce(apply, withoutAlternatives(kinds.reduce<Members>(apply, base), places));
}
