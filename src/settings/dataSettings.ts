/** Settings of a run: the data set, and how its images become a network's input. Rows of the table in settings.ts. */
import * as z from "zod";
import { classOrders, loadDefaults } from "../dataset/dataset.ts";
import { type Augmentation, augmentationNames, usualAugmentation } from "../image/augment/augmentation.ts";
import { fitDescriptions } from "../image/prepare/fit.ts";
import { inner } from "../schema.ts";
import { recipeSchema } from "../training/recipe.ts";
import { inputCommands, listed, nonEmpty, rateCommands, setting, trainingCommands } from "./setting.ts";

const { shape } = recipeSchema;

/** Settings of the sections Data and Input, in the order of help. */
export const dataSettings = {
  dataDir: setting({
    schema: nonEmpty,
    value: "<dir>",
    help: "directory containing the data set (default: the system package or the download cache)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.dataDir",
    report: false,
    onResume: "replace",
  }),
  /** Table of labels; the columns are guessed if they are plain. */
  labels: setting({
    schema: nonEmpty,
    value: "<file>",
    help: "table of labels: CSV, TSV or JSON lines (default: a folder per class, or metadata.csv or .jsonl)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.labels",
    isPath: true,
    // The digest of the listing and the names of the classes must be the same.
    onResume: "replace",
  }),
  imageColumn: setting({
    schema: nonEmpty,
    value: "<name>",
    help: "column of image files, relative to the folder or the table, with or without extension (default: found by its cells)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.imageColumn",
  }),
  labelColumn: setting({
    schema: nonEmpty,
    value: "<name>",
    help: "column of labels (default: found by its name)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.labelColumn",
  }),
  splitColumn: setting({
    schema: nonEmpty,
    value: "<name>",
    help: "column with train, val or test for each image (default: found by its name)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.splitColumn",
  }),
  /** Separator of several labels in a cell of the label column. */
  labelSeparator: setting({
    schema: nonEmpty,
    value: "<text>",
    help: 'separator of several labels in a cell, such as ";"; a blank cell is an image without labels',
    section: "Data",
    commands: inputCommands,
    place: "dataset.labelSeparator",
  }),
  /** Columns of 0 and 1, one for each label. */
  labelColumns: setting({
    schema: z.array(nonEmpty).readonly(),
    value: "<names>",
    help: "columns of 0 and 1, one for each label, comma-separated (default: all others, if they contain only 0 and 1 and no column is called like a label)",
    section: "Data",
    commands: inputCommands,
    place: "dataset.labelColumns",
  }),
  /** Column of groups whose images stay together. */
  groupColumn: setting({
    schema: nonEmpty,
    value: "<name>",
    help: "column of groups, such as patients, whose images stay together when images are held out or divided into folds",
    section: "Data",
    commands: inputCommands,
    place: "dataset.groupColumn",
  }),
  /** Number of folds for cross-validation. */
  folds: setting({
    schema: z.int().min(2),
    value: "<n>",
    help: "cross-validation: train n networks, each validated on another of n stratified folds of the training images",
    section: "Data",
    commands: ["train"],
    place: "dataset.folds",
  }),
  /** The fold that a run holds out. */
  fold: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "train with this fold of --folds held out only, from 1 (default: all, one after the other)",
    section: "Data",
    commands: ["train"],
    place: "dataset.fold",
  }),
  classes: setting({
    schema: nonEmpty,
    value: "<file>",
    help: "file with one class name per line, in the order of the network's outputs",
    section: "Data",
    commands: inputCommands,
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
    commands: inputCommands,
    place: "dataset.classOrder",
  }),
  /** Maximum number of training images: some of each class, so at least the number of classes. */
  trainLimit: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "train on only n images, drawn from every class; at least the number of classes",
    section: "Data",
    commands: rateCommands,
    place: "dataset.trainLimit",
  }),
  /** Maximum number of test images: some of each class, so at least the number of classes. */
  testLimit: setting({
    schema: z.int().positive(),
    value: "<n>",
    help: "evaluate on only n test images, drawn from every class; at least the number of classes",
    section: "Data",
    commands: trainingCommands,
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
    commands: inputCommands,
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
    commands: inputCommands,
    place: "dataset.maxBad",
  }),
  fit: setting({
    schema: inner(shape.fit),
    value: "<name>",
    help: `fit of images to the network's input. ${fitDescriptions.map(([fit, description]) => `${fit}: ${description}`).join("; ")}`,
    section: "Input",
    commands: inputCommands,
    place: "recipe.fit",
    read: ({ fineTuning, recipe }) => fineTuning && recipe.fit,
    report: false,
  }),
  filter: setting({
    schema: inner(shape.filter),
    value: "<name>",
    help: "resampling filter",
    section: "Input",
    commands: inputCommands,
    place: "recipe.filter",
    read: ({ fineTuning, recipe }) => fineTuning && recipe.filter,
    report: false,
  }),
  normalization: setting({
    schema: shape.normalization,
    value: "<name>",
    help: "normalization of pixel values. unit: to 0 … 1; symmetric: to −1 … 1; standard: by the training set's mean and deviation; mean, mean-image: subtract the training set's mean per channel or per pixel",
    section: "Input",
    commands: inputCommands,
    place: "recipe.normalization",
  }),
  /** Augmentations of training images: only these, with the recipe's strength or the usual one. */
  augment: setting({
    schema: z.array(z.enum(augmentationNames)).readonly(),
    value: "<list>",
    help: `augmentations for training images, comma-separated: ${augmentationNames.join(", ")}; or none`,
    suggestions: [...augmentationNames, "none"],
    section: "Input",
    commands: inputCommands,
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
};
