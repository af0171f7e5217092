import type { TrainingProgram } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import type { Recipe } from "../training/recipe.ts";
import type { SgdTarget } from "../training/sgd.ts";

/**
 * A program's parameters as the optimizer sees them, each with its factors and, where there is momentum, a velocity of zeros.
 *
 * Throws ConfigError if the recipe has a multiplier for a tensor that is not there.
 */
export function sgdTargets(
  program: TrainingProgram,
  { name: recipe, optimizer, multipliers }: Recipe,
): readonly SgdTarget[] {
  const names = ["weight", "bias", ...program.parameters.map(({ name }) => name)];
  const unknown = Object.keys(multipliers).find((key) => !names.includes(key));
  if (unknown !== undefined) {
    throw new ConfigError(`recipe ${recipe}: multipliers: no tensor "${unknown}"; expected one of ${names.join(", ")}`);
  }
  return program.parameters.map(({ name, value, gradient }) => {
    const role = name.slice(name.lastIndexOf(".") + 1);
    const factors = multipliers[name] ?? multipliers[role];
    return {
      value,
      gradient,
      velocity: optimizer.momentum > 0 ? program.newTensor(value) : undefined,
      learningRateFactor: factors?.learningRate ?? 1,
      weightDecayFactor: factors?.weightDecay ?? 1,
    };
  });
}
