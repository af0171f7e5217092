/** Config.json without the loading options, which settings.ts adds. */
import * as z from "zod";
import type { Precision } from "../engine/engine.ts";
import { preprocessingSchema } from "../image/prepare/preprocess.ts";
import { headNames } from "../network/head.ts";
import { type Network, parseNetwork } from "../network/network.ts";
import { schemes } from "../network/schemes.ts";
import { recipeSchema } from "../training/recipe.ts";
import { divergencePolicySchema } from "./divergencePolicy.ts";
import { fineTuningSchema } from "./fineTuning.ts";

const networkSchema: z.ZodType<Network> = z.unknown().transform((json) => parseNetwork(json, "network"));

/** Data set of a run, without its loading options. */
export const storedDatasetSchema = z.object({
  name: z.string(),
  /** Channels of the data set's images, which are converted to the network's (see `preprocessing`). The first version supported only grey ones. */
  channels: z.union([z.literal(1), z.literal(3)]).default(1),
  /** Folder that the files were read from. */
  source: z.string(),
  trainImages: z.int(),
  /** Training images per class, in the order of `classNames`. Absent in runs of versions whose limits ignored classes. */
  trainImagesPerClass: z.array(z.int()).optional(),
  /** Number of images of the validation set, and the part of the data set that it is. */
  testImages: z.int(),
  watched: z.enum(["test", "validation"]).default("test"),
  /** Digest of the image file names, see `Dataset`. */
  listed: z.string().optional(),
  classNames: z.array(z.string()),
});

const eigenSchema = z.object({ eigenvalues: z.array(z.number()), eigenvectors: z.array(z.array(z.number())) });

/** All settings that a run started with. */
export const storedRunSchema = z.object({
  dataset: storedDatasetSchema,
  network: networkSchema,
  /** Step from the network's outputs to probabilities; absent for softmax. */
  head: z.enum(headNames).exactOptional(),
  recipe: recipeSchema,
  preprocessing: preprocessingSchema,
  /** Principal components of the training images' colours, if the recipe adds lighting noise. */
  colours: eigenSchema.optional(),
  /** Principal components of the training images' patches, if the recipe whitens the first layer. */
  patches: eigenSchema.optional(),
  divergence: divergencePolicySchema.prefault({}),
  /** Initialization from a weights file, if there was one. */
  fineTuning: fineTuningSchema.optional(),
  precision: z.enum(["f32", "bf16"] satisfies Precision[]),
  /** Direct convolution only; earlier versions always used it. */
  exact: z.boolean().default(true),
  /** Algorithm of each convolution, by layer, where the engine has several. Absent in runs of versions that did not record it. */
  algorithms: z.record(z.string(), z.string()).optional(),
  engine: z.object({ name: z.string(), version: z.string(), description: z.string(), threads: z.int() }),
  machine: z.object({ alexnet: z.string(), node: z.string(), system: z.string(), cpu: z.string() }),
  /** Number of processes that train together, and the division of work among them. Absent for one process. */
  processes: z.int().optional(),
  parallel: z.enum(schemes).optional(),
  /** Library of their exchanges, and bytes of a piece: they determine the order of sums. */
  mpi: z.object({ name: z.string(), version: z.string(), pieceBytes: z.int() }).optional(),
  /** Command line. */
  command: z.string(),
  started: z.string(),
});

/** Plain JSON. */
export type StoredRun = z.infer<typeof storedRunSchema>;
