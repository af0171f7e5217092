/** Config.json: the complete configuration of a run. */
import { z } from "zod";
import { readConfig } from "../checkpoint/runDirectory.ts";
import type { ImageLimit } from "../dataset/limit.ts";
import type { Precision } from "../engine/engine.ts";
import { preprocessingSchema } from "../image/prepare/preprocess.ts";
import { type Network, parseNetwork } from "../network/network.ts";
import { recipeSchema } from "../training/recipe.ts";
import { divergencePolicySchema } from "./divergencePolicy.ts";
import { fineTuningSchema } from "./fineTuning.ts";

const networkSchema: z.ZodType<Network> = z.unknown().transform((json) => parseNetwork(json, "network"));

/** Everything that a run was started with: config.json of its directory. */
export const runConfigSchema = z.object({
  dataset: z.object({
    name: z.string(),
    /** Channels of its images; a network with another number gets them converted (see `preprocessing`). */
    channels: z.union([z.literal(1), z.literal(3)]),
    /** Folder of its files. */
    source: z.string(),
    dataDir: z.string().optional(),
    trainLimit: z.int().optional(),
    testLimit: z.int().optional(),
    validationShare: z.number().optional(),
    maxBad: z.number().optional(),
    trainImages: z.int(),
    /** Training images of each class, in the order of `classNames`. Absent in runs of versions whose limits chose images whatever their classes. */
    trainImagesPerClass: z.array(z.int()).optional(),
    /** Images that training is evaluated on, and of which part they are. */
    testImages: z.int(),
    watched: z.enum(["test", "validation"]).default("test"),
    /** Digest of the list of image files (see `Dataset`). */
    listed: z.string().optional(),
    classNames: z.array(z.string()),
  }),
  network: networkSchema,
  recipe: recipeSchema,
  preprocessing: preprocessingSchema,
  /** Principal components of the training pictures' colours, where the recipe adds noise along them. */
  colours: z.object({ eigenvalues: z.array(z.number()), eigenvectors: z.array(z.array(z.number())) }).optional(),
  divergence: divergencePolicySchema.prefault({}),
  /** Initialisation from pretrained weights, if any. */
  fineTuning: fineTuningSchema.optional(),
  precision: z.enum(["f32", "bf16"] satisfies Precision[]),
  /** Direct convolution only; as it was before there was a choice. */
  exact: z.boolean().default(true),
  engine: z.object({ name: z.string(), version: z.string(), description: z.string(), threads: z.int() }),
  machine: z.object({ alexnet: z.string(), node: z.string(), system: z.string(), cpu: z.string() }),
  /** Command line. */
  command: z.string(),
  started: z.string(),
});

/** Plain JSON. */
export type RunConfig = z.infer<typeof runConfigSchema>;

/** The limits of a run's data set, which choose the images that the run was started with. */
export function storedLimits({ trainLimit, testLimit, trainImagesPerClass }: RunConfig["dataset"]): {
  readonly trainLimit: ImageLimit | undefined;
  readonly testLimit: ImageLimit | undefined;
} {
  const limitOf = (n: number | undefined) => (n === undefined || trainImagesPerClass ? n : { inOrder: n });
  return { trainLimit: limitOf(trainLimit), testLimit: limitOf(testLimit) };
}

/** The configuration of a run directory, undefined if it contains no run. */
export function readRunConfig(directory: string): Promise<RunConfig | undefined> {
  return readConfig(directory, runConfigSchema);
}
