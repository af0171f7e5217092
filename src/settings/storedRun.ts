/** Config.json without the options of loading, which settings.ts adds. */
import { z } from "zod";
import type { Precision } from "../engine/engine.ts";
import { preprocessingSchema } from "../image/prepare/preprocess.ts";
import { type Network, parseNetwork } from "../network/network.ts";
import { recipeSchema } from "../training/recipe.ts";
import { divergencePolicySchema } from "./divergencePolicy.ts";
import { fineTuningSchema } from "./fineTuning.ts";

const networkSchema: z.ZodType<Network> = z.unknown().transform((json) => parseNetwork(json, "network"));

/** The data set of a run, without how it was loaded. */
export const storedDatasetSchema = z.object({
  name: z.string(),
  /** Channels of its images, which are fitted to those of the network (see `preprocessing`). The first version knew grey data sets only. */
  channels: z.union([z.literal(1), z.literal(3)]).default(1),
  /** Folder where its files were found. */
  source: z.string(),
  trainImages: z.int(),
  /** Training images of each class, in the order of `classNames`. Absent in runs of versions whose limits chose images whatever their classes. */
  trainImagesPerClass: z.array(z.int()).optional(),
  /** Images of the validation set, and the part of the data set that this is. */
  testImages: z.int(),
  watched: z.enum(["test", "validation"]).default("test"),
  /** Digest of the names of image files, see `Dataset`. */
  listed: z.string().optional(),
  classNames: z.array(z.string()),
});

/** Everything that a run was started with. */
export const storedRunSchema = z.object({
  dataset: storedDatasetSchema,
  network: networkSchema,
  recipe: recipeSchema,
  preprocessing: preprocessingSchema,
  /** Principal components of the training images' colours, if the recipe adds noise along them. */
  colours: z.object({ eigenvalues: z.array(z.number()), eigenvectors: z.array(z.array(z.number())) }).optional(),
  divergence: divergencePolicySchema.prefault({}),
  /** What was read from a weights file, if the run began with one. */
  fineTuning: fineTuningSchema.optional(),
  precision: z.enum(["f32", "bf16"] satisfies Precision[]),
  /** Direct convolution only; runs of versions without a choice had it. */
  exact: z.boolean().default(true),
  /** Algorithm of each convolution, by layer, where the engine has several. Absent in runs of versions that did not record it. */
  algorithms: z.record(z.string(), z.string()).optional(),
  engine: z.object({ name: z.string(), version: z.string(), description: z.string(), threads: z.int() }),
  machine: z.object({ alexnet: z.string(), node: z.string(), system: z.string(), cpu: z.string() }),
  /** The command line. */
  command: z.string(),
  started: z.string(),
});

/** Plain JSON. */
export type StoredRun = z.infer<typeof storedRunSchema>;
