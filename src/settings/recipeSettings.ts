/** Settings of a run: schedule, loss, sampling and optimizer, all of them values of a recipe. Rows of the table in settings.ts. */
import * as z from "zod";
import { inner } from "../schema.ts";
import { earlyStoppingSchema } from "../training/earlyStopping.ts";
import { defaultMonitor, monitorNames } from "../training/monitor.ts";
import type { ClassWeights } from "../training/objective/classWeights.ts";
import { describeWeights } from "../training/objective/namedWeights.ts";
import type { PositiveWeights } from "../training/objective/positiveWeights.ts";
import { describeOptimizer } from "../training/optimizers/optimizer.ts";
import { optimizerNames, optimizerSchema } from "../training/optimizers/optimizers.ts";
import { sgdSchema } from "../training/optimizers/sgd.ts";
import { recipeSchema, thresholdNames } from "../training/recipe.ts";
import { scheduleNames, scheduleSchema } from "../training/schedule.ts";
import {
  at,
  type Members,
  nameOr,
  rateCommands,
  replaced,
  setting,
  stepCommands,
  trainingCommands,
} from "./setting.ts";
import type { StoredRun } from "./storedRun.ts";

const { shape } = recipeSchema;

/** Writes the name of a kind, which keeps the recipe's options if it is of that kind, or a kind with its options. */
function writeKind(key: "optimizer" | "schedule") {
  return (recipe: Members, value: string | object): Members => {
    if (typeof value !== "string") return { ...recipe, [key]: value };
    return at(recipe, `${key}.kind`) === value ? recipe : { ...recipe, [key]: { kind: value } };
  };
}

/** Compares a kind by its name, or with its options if they are given. */
function compareKind(key: "optimizer" | "schedule") {
  return (value: string | object, { recipe }: StoredRun) =>
    typeof value === "string"
      ? ([value, recipe[key].kind] as const)
      : ([JSON.stringify(value), JSON.stringify(recipe[key])] as const);
}

/** Settings of the sections Schedule, Loss and sampling, and Optimizer, in the order of help. */
export const recipeSettings = {
  /** A kind other than the recipe's has its own defaults. */
  schedule: setting({
    schema: nameOr(z.enum(scheduleNames), scheduleSchema),
    text: z.enum(scheduleNames),
    value: "<name>",
    help: "learning rate schedule",
    section: "Schedule",
    commands: trainingCommands,
    place: "recipe.schedule",
    isKind: true,
    write: writeKind("schedule"),
    compare: compareKind("schedule"),
    report: false,
  }),
  everyEpochs: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "epochs between learning rate drops in a step schedule (default: the recipe's, or a third of the run)",
    section: "Schedule",
    commands: trainingCommands,
    place: "recipe.schedule.everyEpochs",
    report: false,
  }),
  everyFraction: setting({
    schema: z.number().positive().max(1),
    value: "<x>",
    help: "fraction of the run between learning rate drops in a step schedule, such as 0.25",
    section: "Schedule",
    commands: trainingCommands,
    place: "recipe.schedule.everyFraction",
    report: false,
  }),
  warmup: setting({
    schema: inner(shape.warmup),
    value: "<n>",
    help: "epochs of linear learning rate warm-up from 0",
    section: "Schedule",
    commands: trainingCommands,
    place: "recipe.warmup",
    report: false,
  }),
  baseBatchSize: setting({
    schema: inner(shape.baseBatchSize),
    value: "<n>",
    help: "multiply the learning rate by images per step / n, such as 128 (default: the recipe's, or no scaling)",
    section: "Schedule",
    commands: rateCommands,
    place: "recipe.baseBatchSize",
    report: false,
  }),
  /** New runs always store it; runs of earlier versions keep the first of equal accuracies. */
  monitor: setting({
    schema: z.enum(monitorNames),
    value: "<name>",
    help: "metric that selects the best weights and drives early stopping and the plateau schedule; the other one breaks ties",
    section: "Schedule",
    default: defaultMonitor,
    commands: trainingCommands,
    place: "recipe.monitor",
  }),
  /** Number of evaluations without a better monitored figure after which a run ends. */
  earlyStopping: setting({
    schema: nameOr(earlyStoppingSchema.shape.patience, earlyStoppingSchema),
    text: earlyStoppingSchema.shape.patience,
    value: "<n>",
    help: "stop after n epochs without improvement in the --monitor metric on the validation set",
    section: "Schedule",
    commands: trainingCommands,
    place: "recipe.earlyStopping",
    write: (recipe, value) => ({
      ...recipe,
      earlyStopping:
        typeof value === "number" ? { ...(recipe["earlyStopping"] as Members | undefined), patience: value } : value,
    }),
    compare: (value, { recipe: { earlyStopping } }) =>
      typeof value === "number"
        ? [value, earlyStopping?.patience]
        : [JSON.stringify(value), JSON.stringify(earlyStopping)],
    report: ({ recipe: { earlyStopping } }) =>
      earlyStopping ? `after ${earlyStopping.patience} evaluations, above ${earlyStopping.minDelta}` : "none",
  }),
  labelSmoothing: setting({
    schema: inner(shape.labelSmoothing),
    value: "<x>",
    help: "label smoothing, at least 0 and less than 1: fraction of each target to spread over all classes",
    section: "Loss and sampling",
    commands: trainingCommands,
    place: "recipe.labelSmoothing",
  }),
  mixup: setting({
    schema: inner(shape.mixup),
    value: "<alpha>",
    help: "mix pairs of images and labels with weights from Beta(alpha, alpha); a typical alpha is 0.2",
    section: "Loss and sampling",
    commands: trainingCommands,
    place: "recipe.mixup",
  }),
  cutmix: setting({
    schema: inner(shape.cutmix),
    value: "<alpha>",
    help: "replace a rectangle of each image by another image's, and mix labels by area, from Beta(alpha, alpha); a typical alpha is 1",
    section: "Loss and sampling",
    commands: [...trainingCommands, "augment"],
    place: "recipe.cutmix",
  }),
  classWeights: setting({
    schema: nameOr(z.enum(["none", "balanced"]), inner(shape.classWeights)) as z.ZodType<ClassWeights>,
    text: z.enum(["none", "balanced"]),
    value: "<name>",
    help: "balanced: weight the loss inversely to class frequency",
    section: "Loss and sampling",
    commands: trainingCommands,
    place: "recipe.classWeights",
    compare: (value, { recipe }) => [describeWeights(value), describeWeights(recipe.classWeights)],
    report: ({ recipe }) => describeWeights(recipe.classWeights),
  }),
  positiveWeights: setting({
    schema: nameOr(
      z.union([z.enum(["none", "balanced"]), z.number().positive()]),
      inner(shape.positiveWeights),
    ) as z.ZodType<PositiveWeights>,
    text: z.union([z.enum(["none", "balanced"]), z.coerce.number().positive()]),
    value: "<weight>",
    help: "multi-label: weight of present labels in the loss, a number for all, or balanced: images without the label / images with it",
    section: "Loss and sampling",
    suggestions: ["none", "balanced"],
    commands: trainingCommands,
    place: "recipe.positiveWeights",
    compare: (value, { recipe: { positiveWeights = "none" } }) => [
      describeWeights(value),
      describeWeights(positiveWeights),
    ],
  }),
  thresholds: setting({
    schema: z.enum(thresholdNames),
    value: "<name>",
    help: "multi-label: minimum probability of a present label. fixed: 0.5; fitted: the best F1 score of each label on the validation set (default: fixed)",
    section: "Loss and sampling",
    commands: trainingCommands,
    place: "recipe.thresholds",
  }),
  sampler: setting({
    schema: inner(shape.sampler),
    value: "<name>",
    help: "balanced: draw all classes equally often",
    section: "Loss and sampling",
    commands: trainingCommands,
    place: "recipe.sampler",
  }),
  /** A kind other than the recipe's has its own defaults. */
  optimizer: setting({
    schema: nameOr(z.enum(optimizerNames), optimizerSchema),
    text: z.enum(optimizerNames),
    value: "<name>",
    help: "optimizer; if it differs from the recipe's, PyTorch's defaults apply, or for lars its paper's",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.optimizer",
    isKind: true,
    write: writeKind("optimizer"),
    compare: compareKind("optimizer"),
    report: ({ recipe }) => describeOptimizer(recipe),
  }),
  momentum: setting({
    schema: inner(sgdSchema.shape.momentum),
    value: "<x>",
    help: "SGD momentum",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.optimizer.momentum",
    report: false,
  }),
  nesterov: setting({
    schema: z.boolean(),
    help: "Nesterov momentum, for SGD",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.optimizer.form",
    isKind: true,
    write(recipe, value) {
      const isNesterov = at(recipe, "optimizer.form") === "nesterov";
      // Without it, the form is the optimizer's usual one.
      return value === isNesterov ? recipe : replaced(recipe, "optimizer.form", value ? "nesterov" : undefined);
    },
    compare: (value, { recipe: { optimizer } }) => [value, "form" in optimizer && optimizer.form === "nesterov"],
    report: false,
  }),
  weightDecay: setting({
    schema: inner(sgdSchema.shape.weightDecay),
    value: "<x>",
    help: "weight decay (L2 penalty; decoupled in AdamW)",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.optimizer.weightDecay",
    report: false,
  }),
  clipNorm: setting({
    schema: inner(shape.clipNorm),
    value: "<x>",
    help: "clip gradients to this global L2 norm",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.clipNorm",
    report: false,
  }),
  accumulate: setting({
    schema: inner(shape.accumulate),
    value: "<n>",
    help: "accumulate gradients over n batches per optimizer step",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.accumulate",
    report: false,
  }),
  average: setting({
    schema: inner(shape.average),
    value: "<x>",
    help: "evaluate an exponential moving average of the weights with this decay, such as 0.999",
    section: "Optimizer",
    commands: stepCommands,
    place: "recipe.average",
    report: false,
  }),
};
