/**
 * The settings of a run, each declared once. Flags, help, sweeps, `--config`, config.json, comparison on resume and the report are derived from
 * these rows.
 */
import * as z from "zod";
import { pretrainedNames } from "../checkpoint/pretrainedNames.ts";
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { engineFacts, engineNames, mayResume } from "../engine/select/engineNames.ts";
import { int8Refusal, precisionNames } from "../engine/select/precision.ts";
import { networks } from "../network/alexnet.ts";
import type { Network } from "../network/network.ts";
import { inner } from "../schema.ts";
import { recipeSchema, recipes } from "../training/recipe.ts";
import { dataSettings } from "./dataSettings.ts";
import { divergencePolicySchema } from "./divergencePolicy.ts";
import { recipeSettings } from "./recipeSettings.ts";
import {
  inputCommands,
  nameOr,
  nonEmpty,
  rateCommands,
  type SettingsOf,
  setting,
  stepCommands,
  trainingCommands,
} from "./setting.ts";

const { shape } = recipeSchema;
const divergence = divergencePolicySchema.shape;

/** `auto` matches any stored value. */
function unlessAuto(value: string, stored: string) {
  return value === "auto" ? undefined : ([value, stored] as const);
}

/** Every setting, in the order of help and of config.json. */
export const settings = {
  /** A name, or a folder with a folder of images per class. */
  dataset: setting({
    schema: nonEmpty,
    value: "[dataset]",
    help: `${datasetNames.join(", ")}, or a folder or archive of images`,
    suggestions: datasetNames,
    default: "fashion-mnist",
    commands: inputCommands,
    place: "dataset.name",
    report: false,
  }),
  /** A name, a JSON file, or a network. */
  network: setting({
    schema: nameOr(
      nonEmpty,
      z.custom<Network>((value) => typeof value === "object" && value !== null),
    ),
    text: nonEmpty,
    value: "<network>",
    help: "name (see alexnet summary) or JSON file (default: alexnet-fashion for grey images, alexnet-owt for colour)",
    suggestions: networks.map((network) => network.name),
    commands: inputCommands,
    place: "network",
    report: false,
  }),
  /** A name, a JSON file, or a recipe. */
  recipe: setting({
    schema: nameOr(nonEmpty, recipeSchema),
    text: nonEmpty,
    value: "<recipe>",
    help: `training recipe: ${recipes.map((recipe) => recipe.name).join(", ")}, or a JSON file (default: fashion for grey images, photos for colour)`,
    suggestions: recipes.map((recipe) => recipe.name),
    commands: inputCommands,
    place: "recipe",
    report: false,
  }),
  epochs: setting({
    schema: shape.epochs,
    value: "<n>",
    help: "number of epochs, greater than 0; fractions allowed (default: the recipe's)",
    commands: trainingCommands,
    place: "recipe.epochs",
  }),
  batchSize: setting({
    schema: shape.batchSize,
    value: "<n>",
    help: "images per batch (default: the recipe's)",
    commands: rateCommands,
    place: "recipe.batchSize",
  }),
  learningRate: setting({
    schema: shape.learningRate,
    value: "<x>",
    help: "learning rate (default: the recipe's)",
    commands: trainingCommands,
    place: "recipe.learningRate",
    report: ({ recipe: { learningRate, schedule, warmup, baseBatchSize } }) =>
      `${learningRate}${baseBatchSize === undefined ? "" : ` per ${baseBatchSize} images`}, ${schedule.kind}${warmup > 0 ? `, ${warmup} epochs of warm-up` : ""}`,
  }),
  /** Height and width of the network's input, in pixels. */
  inputSize: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "height and width of the network's input, in pixels",
    commands: inputCommands,
    place: "preprocessing.size.0",
    // The stored network has its input size; initial weights of another size would change it.
    read: ({ fineTuning, recipe, preprocessing: { size } }) =>
      fineTuning && recipe.fit !== "native" && size[0] === size[1] ? size[0] : undefined,
  }),
  seed: setting({
    schema: inner(shape.seed),
    value: "<n>",
    help: "random seed (default: the recipe's)",
    commands: inputCommands,
    place: "recipe.seed",
  }),
  ...dataSettings,
  ...recipeSettings,
  /** Run directory (its best weights) or weights file for initialization. Network and preprocessing default to the file's. */
  from: setting({
    schema: nonEmpty,
    value: "<run>",
    help: "initial weights: run directory (its best weights), .safetensors file, or torchvision",
    suggestions: pretrainedNames,
    section: "Fine-tuning",
    commands: rateCommands,
    place: "fineTuning.from",
  }),
  /** Layers not to train: names, `conv` for all with weights before the first fully connected layer, or `none`. */
  freeze: setting({
    schema: z.array(nonEmpty).readonly(),
    value: "<layers>",
    help: "layers to freeze: conv (all before the first linear layer), none, or comma-separated names (default: none)",
    suggestions: ["conv", "none"],
    section: "Fine-tuning",
    commands: rateCommands,
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
    commands: rateCommands,
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
    commands: rateCommands,
    place: "fineTuning.keptViews",
    needs: "from",
  }),
  onDivergence: setting({
    schema: divergence.action.unwrap(),
    value: "<name>",
    help: "what to do if the loss becomes NaN or infinite: stop, or roll back to the last checkpoint with a lower learning rate",
    section: "Divergence",
    default: divergence.action.parse(undefined),
    commands: trainingCommands,
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
    commands: trainingCommands,
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
    commands: trainingCommands,
    place: "divergence.times",
    onResume: "replace",
  }),
  engine: setting({
    schema: z.enum(engineNames),
    value: "<name>",
    help: "compute engine; auto uses oneDNN if it is installed, else a graphics adapter (webgpu), else wasm",
    section: "Compute",
    default: "auto",
    commands: stepCommands,
    place: "engine.name",
    compare: (value, { engine }) => (mayResume(value, engine.name) ? undefined : unlessAuto(value, engine.name)),
  }),
  precision: setting({
    schema: z.enum(precisionNames, { error: ({ input }) => (input === "int8" ? int8Refusal : undefined) }),
    value: "<name>",
    help: "number format; auto uses bf16 where it is faster than f32",
    section: "Compute",
    default: "auto",
    commands: rateCommands,
    place: "precision",
    compare: (value, { precision }) => unlessAuto(value, precision),
  }),
  /** Direct convolution only. Default: false, which uses the discrete Fourier transform or Winograd's algorithm where they are faster. */
  exact: setting({
    schema: z.boolean(),
    help: "use direct convolution only: slower, without the extra rounding error of faster algorithms",
    section: "Compute",
    commands: stepCommands,
    place: "exact",
  }),
  threads: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "number of compute threads (default: the cores available to this process)",
    section: "Compute",
    commands: stepCommands,
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
