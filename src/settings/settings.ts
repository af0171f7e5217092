/**
 * The settings of a run, each declared once. Flags, help, sweeps, `--config`, config.json, comparison on resume and the report are derived from
 * these rows. This file exceeds the usual length because it is a single table.
 */
import * as z from "zod";
import { pretrainedNames } from "../checkpoint/pretrainedNames.ts";
import { classOrders, loadDefaults } from "../dataset/dataset.ts";
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { engineFacts, engineNames, mayResume } from "../engine/select/engineNames.ts";
import { int8Refusal, precisionNames } from "../engine/select/precision.ts";
import { type Augmentation, augmentationNames, usualAugmentation } from "../image/augment/augmentation.ts";
import { fitDescriptions } from "../image/prepare/fit.ts";
import { networks } from "../network/alexnet.ts";
import type { Network } from "../network/network.ts";
import { inner } from "../schema.ts";
import { earlyStoppingSchema } from "../training/earlyStopping.ts";
import { defaultMonitor, monitorNames } from "../training/monitor.ts";
import { type ClassWeights, describeClassWeights } from "../training/objective/classWeights.ts";
import { describeOptimizer } from "../training/optimizers/optimizer.ts";
import { optimizerNames, optimizerSchema } from "../training/optimizers/optimizers.ts";
import { sgdSchema } from "../training/optimizers/sgd.ts";
import { recipeSchema, recipes } from "../training/recipe.ts";
import { scheduleNames, scheduleSchema } from "../training/schedule.ts";
import { divergencePolicySchema } from "./divergencePolicy.ts";
import { at, type Members, nameOr, type SettingsOf, setting, withPlace } from "./setting.ts";
import type { StoredRun } from "./storedRun.ts";

const { shape } = recipeSchema;
const divergence = divergencePolicySchema.shape;

const runs = ["train", "sweep"] as const;
const rates = [...runs, "lr-find"] as const;
const inputs = [...rates, "augment"] as const;
const steps = [...rates, "bench"] as const;

const name = z.string().min(1);
const pixels = z.int().positive();

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

/** Sorted names, for comparison. */
function listed(names: readonly string[]): string {
  return names.toSorted().join(",") || "none";
}

/** `auto` matches any stored value. */
function unlessAuto(value: string, stored: string) {
  return value === "auto" ? undefined : ([value, stored] as const);
}

/** Every setting, in the order of help and of config.json. */
export const settings = {
  /** A name, or a folder with a folder of images per class. */
  dataset: setting({
    schema: name,
    value: "[dataset]",
    help: `${datasetNames.join(", ")}, or a folder or archive of images`,
    suggestions: datasetNames,
    default: "fashion-mnist",
    commands: inputs,
    place: "dataset.name",
    report: false,
  }),
  /** A name, a JSON file, or a network. */
  network: setting({
    schema: nameOr(
      name,
      z.custom<Network>((value) => typeof value === "object" && value !== null),
    ),
    text: name,
    value: "<network>",
    help: "name (see alexnet summary) or JSON file (default: alexnet-fashion for grey images, alexnet-owt for colour)",
    suggestions: networks.map((network) => network.name),
    commands: inputs,
    place: "network",
    report: false,
  }),
  /** A name, a JSON file, or a recipe. */
  recipe: setting({
    schema: nameOr(name, recipeSchema),
    text: name,
    value: "<recipe>",
    help: `training recipe: ${recipes.map((recipe) => recipe.name).join(", ")}, or a JSON file (default: fashion for grey images, photos for colour)`,
    suggestions: recipes.map((recipe) => recipe.name),
    commands: inputs,
    place: "recipe",
    report: false,
  }),
  epochs: setting({
    schema: shape.epochs,
    value: "<n>",
    help: "number of epochs, greater than 0; fractions allowed (default: the recipe's)",
    commands: runs,
    place: "recipe.epochs",
  }),
  batchSize: setting({
    schema: shape.batchSize,
    value: "<n>",
    help: "images per batch (default: the recipe's)",
    commands: rates,
    place: "recipe.batchSize",
  }),
  learningRate: setting({
    schema: shape.learningRate,
    value: "<x>",
    help: "learning rate (default: the recipe's)",
    commands: runs,
    place: "recipe.learningRate",
    report: ({ recipe: { learningRate, schedule, warmup } }) =>
      `${learningRate}, ${schedule.kind}${warmup > 0 ? `, ${warmup} epochs of warm-up` : ""}`,
  }),
  /** Height and width of the network's input, in pixels. */
  inputSize: setting({
    schema: pixels,
    value: "<n>",
    help: "height and width of the network's input, in pixels",
    commands: inputs,
    place: "preprocessing.size.0",
    // The stored network has its input size; initial weights of another size would change it.
    read: ({ fineTuning, recipe, preprocessing: { size } }) =>
      fineTuning && recipe.fit !== "native" && size[0] === size[1] ? size[0] : undefined,
  }),
  seed: setting({
    schema: inner(shape.seed),
    value: "<n>",
    help: "random seed (default: the recipe's)",
    commands: inputs,
    place: "recipe.seed",
  }),
  dataDir: setting({
    schema: name,
    value: "<dir>",
    help: "directory containing the data set (default: the system package or the download cache)",
    section: "Data",
    commands: inputs,
    place: "dataset.dataDir",
    report: false,
    onResume: "replace",
  }),
  /** Table of labels; the columns are guessed if they are plain. */
  labels: setting({
    schema: name,
    value: "<file>",
    help: "table of labels: CSV, TSV or JSON lines (default: a folder per class, or metadata.csv or .jsonl)",
    section: "Data",
    commands: inputs,
    place: "dataset.labels",
    isPath: true,
    // The digest of the listing and the names of the classes must be the same.
    onResume: "replace",
  }),
  imageColumn: setting({
    schema: name,
    value: "<name>",
    help: "column of image files, relative to the folder or the table, with or without extension (default: found by its cells)",
    section: "Data",
    commands: inputs,
    place: "dataset.imageColumn",
  }),
  labelColumn: setting({
    schema: name,
    value: "<name>",
    help: "column of labels (default: found by its name)",
    section: "Data",
    commands: inputs,
    place: "dataset.labelColumn",
  }),
  splitColumn: setting({
    schema: name,
    value: "<name>",
    help: "column with train, val or test for each image (default: found by its name)",
    section: "Data",
    commands: inputs,
    place: "dataset.splitColumn",
  }),
  classes: setting({
    schema: name,
    value: "<file>",
    help: "file with one class name per line, in the order of the network's outputs",
    section: "Data",
    commands: inputs,
    place: "dataset.classes",
    isPath: true,
    // The digest of the listing and the names of the classes must be the same.
    onResume: "replace",
  }),
  classOrder: setting({
    schema: z.enum(classOrders),
    value: "<name>",
    help: "order of classes. text: by code point; natural: numbers in names by value (default: text)",
    section: "Data",
    commands: inputs,
    place: "dataset.classOrder",
  }),
  /** Maximum number of training images: some of each class, so at least the number of classes. */
  trainLimit: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "train on only n images, drawn from every class; at least the number of classes",
    section: "Data",
    commands: rates,
    place: "dataset.trainLimit",
  }),
  /** Maximum number of test images: some of each class, so at least the number of classes. */
  testLimit: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "evaluate on only n test images, drawn from every class; at least the number of classes",
    section: "Data",
    commands: runs,
    place: "dataset.testLimit",
  }),
  /** Fraction of images to hold out if the folder has no val/ or test/. */
  validationShare: setting({
    schema: z.number().gt(0).lt(1),
    value: "<x>",
    help: "fraction of images to hold out if the folder has no val/ or test/",
    section: "Data",
    because: "because held-out images are needed for evaluation (a folder's val/ or test/ is used as it is)",
    default: loadDefaults.validationShare,
    commands: inputs,
    place: "dataset.validationShare",
    // Earlier sweeps accepted 0.
    stored: z.number(),
  }),
  /** Maximum fraction of unreadable images, which are left out. */
  maxBad: setting({
    schema: z.number().min(0).lt(1),
    value: "<x>",
    help: "maximum fraction of unreadable images to tolerate",
    section: "Data",
    default: loadDefaults.maxBad,
    commands: inputs,
    place: "dataset.maxBad",
  }),
  fit: setting({
    schema: inner(shape.fit),
    value: "<name>",
    help: `fit of images to the network's input. ${fitDescriptions.map(([fit, description]) => `${fit}: ${description}`).join("; ")}`,
    section: "Input",
    commands: inputs,
    place: "recipe.fit",
    read: ({ fineTuning, recipe }) => fineTuning && recipe.fit,
    report: false,
  }),
  filter: setting({
    schema: inner(shape.filter),
    value: "<name>",
    help: "resampling filter",
    section: "Input",
    commands: inputs,
    place: "recipe.filter",
    read: ({ fineTuning, recipe }) => fineTuning && recipe.filter,
    report: false,
  }),
  normalization: setting({
    schema: shape.normalization,
    value: "<name>",
    help: "normalization of pixel values. unit: to 0 … 1; symmetric: to −1 … 1; standard: by the training set's mean and deviation; mean, mean-image: subtract the training set's mean per channel or per pixel",
    section: "Input",
    commands: inputs,
    place: "recipe.normalization",
  }),
  /** Augmentations of training images: only these, with the recipe's strength or the usual one. */
  augment: setting({
    schema: z.array(z.enum(augmentationNames)).readonly(),
    value: "<list>",
    help: `augmentations for training images, comma-separated: ${augmentationNames.join(", ")}; or none`,
    suggestions: [...augmentationNames, "none"],
    section: "Input",
    commands: inputs,
    place: "recipe.augmentation",
    write: (recipe, names) => {
      const own = recipe["augmentation"] as Augmentation;
      return {
        ...recipe,
        augmentation: Object.fromEntries(names.map((each) => [each, own[each] ?? usualAugmentation[each]])),
      };
    },
    compare: (names, { recipe }) => [listed(names), listed(Object.keys(recipe.augmentation))],
    report: ({ recipe }) => Object.keys(recipe.augmentation).join(", ") || "none",
  }),
  /** A kind other than the recipe's has its own defaults. */
  schedule: setting({
    schema: nameOr(z.enum(scheduleNames), scheduleSchema),
    text: z.enum(scheduleNames),
    value: "<name>",
    help: "learning rate schedule",
    section: "Schedule",
    commands: runs,
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
    commands: runs,
    place: "recipe.schedule.everyEpochs",
    write: (recipe, value) => withPlace(recipe, "schedule.everyEpochs", value),
    report: false,
  }),
  everyFraction: setting({
    schema: z.number().positive().max(1),
    value: "<x>",
    help: "fraction of the run between learning rate drops in a step schedule, such as 0.25",
    section: "Schedule",
    commands: runs,
    place: "recipe.schedule.everyFraction",
    write: (recipe, value) => withPlace(recipe, "schedule.everyFraction", value),
    report: false,
  }),
  warmup: setting({
    schema: inner(shape.warmup),
    value: "<n>",
    help: "epochs of linear learning rate warm-up from 0",
    section: "Schedule",
    commands: runs,
    place: "recipe.warmup",
    report: false,
  }),
  /** New runs always store it; runs of earlier versions keep the first of equal accuracies. */
  monitor: setting({
    schema: z.enum(monitorNames),
    value: "<name>",
    help: "metric that selects the best weights and drives early stopping and the plateau schedule; the other one breaks ties",
    section: "Schedule",
    default: defaultMonitor,
    commands: runs,
    place: "recipe.monitor",
  }),
  /** Number of evaluations without a better monitored figure after which a run ends. */
  earlyStopping: setting({
    schema: nameOr(earlyStoppingSchema.shape.patience, earlyStoppingSchema),
    text: earlyStoppingSchema.shape.patience,
    value: "<n>",
    help: "stop after n epochs without improvement in the --monitor metric on the validation set",
    section: "Schedule",
    commands: runs,
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
    commands: runs,
    place: "recipe.labelSmoothing",
  }),
  mixup: setting({
    schema: inner(shape.mixup),
    value: "<alpha>",
    help: "mix pairs of images and labels with weights from Beta(alpha, alpha); a typical alpha is 0.2",
    section: "Loss and sampling",
    commands: runs,
    place: "recipe.mixup",
  }),
  cutmix: setting({
    schema: inner(shape.cutmix),
    value: "<alpha>",
    help: "replace a rectangle of each image by another image's, and mix labels by area, from Beta(alpha, alpha); a typical alpha is 1",
    section: "Loss and sampling",
    commands: [...runs, "augment"],
    place: "recipe.cutmix",
  }),
  classWeights: setting({
    schema: nameOr(z.enum(["none", "balanced"]), inner(shape.classWeights)) as z.ZodType<ClassWeights>,
    text: z.enum(["none", "balanced"]),
    value: "<name>",
    help: "balanced: weight the loss inversely to class frequency",
    section: "Loss and sampling",
    commands: runs,
    place: "recipe.classWeights",
    compare: (value, { recipe }) => [describeClassWeights(value), describeClassWeights(recipe.classWeights)],
    report: ({ recipe }) => describeClassWeights(recipe.classWeights),
  }),
  sampler: setting({
    schema: inner(shape.sampler),
    value: "<name>",
    help: "balanced: draw all classes equally often",
    section: "Loss and sampling",
    commands: runs,
    place: "recipe.sampler",
  }),
  /** A kind other than the recipe's has its own defaults. */
  optimizer: setting({
    schema: nameOr(z.enum(optimizerNames), optimizerSchema),
    text: z.enum(optimizerNames),
    value: "<name>",
    help: "optimizer; if it differs from the recipe's, PyTorch's defaults apply",
    section: "Optimizer",
    commands: steps,
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
    commands: steps,
    place: "recipe.optimizer.momentum",
    report: false,
  }),
  nesterov: setting({
    schema: z.boolean(),
    help: "Nesterov momentum, for SGD",
    section: "Optimizer",
    commands: steps,
    place: "recipe.optimizer.form",
    isKind: true,
    write: (recipe, value) =>
      value ? { ...recipe, optimizer: { ...(recipe["optimizer"] as Members), form: "nesterov" } } : recipe,
    compare: (value, { recipe: { optimizer } }) => [value, "form" in optimizer && optimizer.form === "nesterov"],
    report: false,
  }),
  weightDecay: setting({
    schema: inner(sgdSchema.shape.weightDecay),
    value: "<x>",
    help: "weight decay (L2 penalty; decoupled in AdamW)",
    section: "Optimizer",
    commands: steps,
    place: "recipe.optimizer.weightDecay",
    report: false,
  }),
  clipNorm: setting({
    schema: inner(shape.clipNorm),
    value: "<x>",
    help: "clip gradients to this global L2 norm",
    section: "Optimizer",
    commands: steps,
    place: "recipe.clipNorm",
    report: false,
  }),
  accumulate: setting({
    schema: inner(shape.accumulate),
    value: "<n>",
    help: "accumulate gradients over n batches per optimizer step",
    section: "Optimizer",
    commands: steps,
    place: "recipe.accumulate",
    report: false,
  }),
  average: setting({
    schema: inner(shape.average),
    value: "<x>",
    help: "evaluate an exponential moving average of the weights with this decay, such as 0.999",
    section: "Optimizer",
    commands: steps,
    place: "recipe.average",
    report: false,
  }),
  /** Run directory (its best weights) or weights file for initialization. Network and preprocessing default to the file's. */
  from: setting({
    schema: name,
    value: "<run>",
    help: "initial weights: run directory (its best weights), .safetensors file, or torchvision",
    suggestions: pretrainedNames,
    section: "Fine-tuning",
    commands: rates,
    place: "fineTuning.from",
  }),
  /** Layers not to train: names, `conv` for all with weights before the first fully connected layer, or `none`. */
  freeze: setting({
    schema: z.array(name).readonly(),
    value: "<layers>",
    help: "layers to freeze: conv (all before the first linear layer), none, or comma-separated names (default: none)",
    suggestions: ["conv", "none"],
    section: "Fine-tuning",
    commands: rates,
    place: "fineTuning.frozen",
    needs: "from",
  }),
  /** Learning rate factor of initialised layers. Source: BVLC Caffe, fine-tuning CaffeNet for style recognition. */
  oldLayersRate: setting({
    schema: z.number().nonnegative(),
    value: "<x>",
    help: "learning rate multiplier for layers initialized from --from, 0 or more",
    section: "Fine-tuning",
    default: 0.1,
    commands: rates,
    place: "fineTuning.oldLayersRate",
    needs: "from",
  }),
  /**
   * Number of views per training image to cache the frozen layers' output for: 1 for the view of evaluation, more for random ones, 0 to compute the
   * output in every step. Default: 1; 0 if `augment` names augmentations.
   */
  keptViews: setting({
    schema: z.int().nonnegative(),
    value: "<n>",
    help: "number of augmented views of each image whose frozen-layer output is cached (default: 1)",
    section: "Fine-tuning",
    commands: rates,
    place: "fineTuning.keptViews",
    needs: "from",
  }),
  onDivergence: setting({
    schema: divergence.action.unwrap(),
    value: "<name>",
    help: "what to do if the loss becomes NaN or infinite: stop, or roll back to the last checkpoint with a lower learning rate",
    section: "Divergence",
    default: divergence.action.parse(undefined),
    commands: runs,
    place: "divergence.action",
    onResume: "replace",
  }),
  /** Learning rate factor at each rollback. */
  rollbackFactor: setting({
    schema: divergence.factor.unwrap(),
    value: "<x>",
    help: "factor by which each rollback multiplies the learning rate",
    section: "Divergence",
    default: divergence.factor.parse(undefined),
    commands: runs,
    place: "divergence.factor",
    onResume: "replace",
  }),
  /** Maximum number of rollbacks in a run. */
  maxRollbacks: setting({
    schema: divergence.times.unwrap(),
    value: "<n>",
    help: "maximum number of rollbacks in a run",
    section: "Divergence",
    default: divergence.times.parse(undefined),
    commands: runs,
    place: "divergence.times",
    onResume: "replace",
  }),
  engine: setting({
    schema: z.enum(engineNames),
    value: "<name>",
    help: "compute engine; auto uses oneDNN if it is installed, else wasm",
    section: "Compute",
    default: "auto",
    commands: steps,
    place: "engine.name",
    compare: (value, { engine }) => (mayResume(value, engine.name) ? undefined : unlessAuto(value, engine.name)),
  }),
  precision: setting({
    schema: z.enum(precisionNames, { error: ({ input }) => (input === "int8" ? int8Refusal : undefined) }),
    value: "<name>",
    help: "number format; auto uses bf16 where it is faster than f32",
    section: "Compute",
    default: "auto",
    commands: rates,
    place: "precision",
    compare: (value, { precision }) => unlessAuto(value, precision),
  }),
  /** Direct convolution only. Default: false, which uses the discrete Fourier transform or Winograd's algorithm where they are faster. */
  exact: setting({
    schema: z.boolean(),
    help: "use direct convolution only: slower, without the extra rounding error of faster algorithms",
    section: "Compute",
    commands: steps,
    place: "exact",
  }),
  threads: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "number of compute threads (default: the cores available to this process)",
    section: "Compute",
    commands: steps,
    place: "engine.threads",
    compare: (value, { engine }) => (engineFacts(engine.name)?.takesThreads ? [value, engine.threads] : undefined),
    read: ({ engine }) => (engineFacts(engine.name)?.takesThreads ? engine.threads : undefined),
  }),
};

/** Settings of a run, each with a default. */
export type RunSettings = SettingsOf<typeof settings>;

/** Keys of the settings whose place in config.json begins with a prefix. */
type KeysAt<Prefix extends string> = {
  [K in keyof typeof settings]: (typeof settings)[K]["place"] extends `${Prefix}.${string}` ? K : never;
}[keyof typeof settings];

/** Settings that are values of a recipe. */
export type RecipeOverrides = Pick<RunSettings, KeysAt<"recipe">>;

/** Loading options of a data set, as given and stored. */
export type LoadSettings = Omit<Pick<RunSettings, KeysAt<"dataset">>, "dataset">;
