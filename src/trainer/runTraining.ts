/** From a prepared run to what the training loop takes. */
import type { Dataset } from "../dataset/dataset.ts";
import { validationSplit } from "../dataset/dataset.ts";
import { createPreparation, type Preparation } from "../dataset/prepare/preparation.ts";
import type { TrainingProgram } from "../engine/engine.ts";
import type { Optimizer } from "../training/optimizers/optimizer.ts";
import type { Training } from "../training/train.ts";
import type { PreparedRun } from "./runSetup.ts";

/** Prepares a run's pictures, on the engine's threads; the caller closes it. */
export function runPreparation({ config, engine }: PreparedRun): Preparation {
  const { preprocessing, colours, recipe } = config;
  const { augmentation, seed } = recipe;
  return createPreparation({ preprocessing, random: { augmentation, seed, colours }, threads: engine.threads });
}

/** `dataset` is the run's as its program takes it. */
export function runTraining(
  { config }: PreparedRun,
  program: TrainingProgram,
  optimizer: Optimizer,
  dataset: Dataset,
  preparation: Preparation,
): Training {
  const { recipe } = config;
  const { classNames } = config.dataset;
  return { program, optimizer, recipe, train: dataset.train, test: validationSplit(dataset), preparation, classNames };
}
