/** Weights by name of a class or label, as a recipe gives them. */
import * as z from "zod/mini";
import { ConfigError } from "../../errors.ts";
import { didYouMean } from "../../suggest.ts";

/** Schema of an object of positive numbers. Objects are used as given: zod's record schema would drop a class named `__proto__`. */
export const namedWeightsSchema = z.custom<Record<string, number>>(isWeights);

/** Weights by name; other names have weight 1. */
export type NamedWeights = z.infer<typeof namedWeightsSchema>;

/** Words of the error about an unknown name: the setting, and what its names are. */
export interface WeightNames {
  readonly setting: string;
  readonly expected: string;
}

function isWeights(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((weight) => Number.isFinite(weight) && weight > 0)
  );
}

/** Throws ConfigError for a name that is not among the classes. */
export function checkNames(
  weights: NamedWeights,
  classNames: readonly string[],
  { setting, expected }: WeightNames,
): void {
  const unknown = Object.keys(weights).filter((name) => !classNames.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    `${setting}: expected ${expected} (${classNames.join(", ")}), got ${unknown.map((name) => name + didYouMean(name, classNames)).join(", ")}; correct the recipe`,
  );
}

/** The weights by class number. Shapes: [classes]. Throws ConfigError for a name that is not among the classes. */
export function weightsByName(
  weights: NamedWeights,
  classNames: readonly string[],
  names: WeightNames,
): readonly number[] {
  checkNames(weights, classNames, names);
  // Own properties only: every object inherits a `constructor`.
  return classNames.map((name) => (Object.hasOwn(weights, name) ? (weights[name] as number) : 1));
}

/** Description and comparison key: a name or number as text, or the weights by name as JSON. */
export function describeWeights(weights: string | number | NamedWeights): string {
  return typeof weights === "object" ? JSON.stringify(weights) : String(weights);
}
