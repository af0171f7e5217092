/** Checks of the training loop that loss and weights are finite. */
import type { TrainingProgram } from "../engine/engine.ts";
import { DivergenceError } from "../errors.ts";
import type { Recipe } from "./recipe.ts";

/** Throws DivergenceError for a loss that is NaN or infinite, naming a tensor that is too. */
export async function checkLoss(
  program: TrainingProgram,
  loss: number | undefined,
  iteration: number,
  recipe: Recipe,
): Promise<void> {
  if (Number.isFinite(loss)) return;
  const name = (await program.firstNonFinite("values")) ?? (await program.firstNonFinite("gradients"));
  throw diverged(
    `the loss is ${loss}${name ? `, and ${name} or its gradient is NaN or infinite` : ""}`,
    iteration,
    recipe,
  );
}

/** Throws DivergenceError for a weight that is NaN or infinite. */
export async function checkWeights(program: TrainingProgram, iteration: number, recipe: Recipe): Promise<void> {
  const name = await program.firstNonFinite("values");
  if (name) throw diverged(`${name} is NaN or infinite`, iteration, recipe);
}

/** Error of a run that has diverged, with its remedy. */
export function diverged(what: string, iteration: number, { learningRate }: Recipe): DivergenceError {
  return new DivergenceError(
    `training: ${what} after iteration ${iteration}`,
    `start another run with a lower --learning-rate than ${learningRate}, or continue this one with ` +
      "--resume --on-divergence rollback",
  );
}
