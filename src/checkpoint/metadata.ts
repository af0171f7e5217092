/** Metadata of a weights file: network, preprocessing, classes, results. */
import * as z from "zod";
import type { Precision } from "../engine/engine.ts";
import { AlexNetError, CheckpointError, messageOf } from "../errors.ts";
import { type Preprocessing, preprocessingSchema } from "../image/prepare/preprocess.ts";
import { classCount, type HeadName, headNames, isMultiLabel } from "../network/head.ts";
import { classesOf, type Network, parseNetwork } from "../network/network.ts";
import type { SafetensorsReader } from "./safetensorsReader.ts";

/** Everything but the weights that a prediction needs; it travels in the metadata of a weights file. */
export interface Model {
  readonly network: Network;
  /** Default: softmax, the head of every network that is trained here. */
  readonly head?: HeadName | undefined;
  readonly classNames: readonly string[];
  readonly preprocessing: Preprocessing;
  /** Metrics when the weights were saved, such as `testAccuracy`. JSON has finite numbers only: others are not kept. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly precision: Precision;
  /** Direct convolution only. */
  readonly exact: boolean;
}

/** Raised when a reader of the earlier version would misread a file: that version reads every file's outputs as logits of a softmax. */
export const formatVersions = { softmax: "1", otherHeads: "2" } as const;

/** The entries that a model's head has in the metadata of a file. */
export function encodeHead({ head = "softmax" }: Pick<Model, "head">): Readonly<Record<string, string>> {
  return head === "softmax"
    ? { formatVersion: formatVersions.softmax }
    : { formatVersion: formatVersions.otherHeads, head };
}

/** The metadata of a weights file. */
export function encodeModel(model: Model, iteration: number): Readonly<Record<string, string>> {
  return {
    ...encodeHead(model),
    iteration: String(iteration),
    network: JSON.stringify(model.network),
    classNames: JSON.stringify(model.classNames),
    preprocessing: JSON.stringify(model.preprocessing),
    metrics: JSON.stringify(
      Object.fromEntries(Object.entries(model.metrics).filter(([, value]) => Number.isFinite(value))),
    ),
    precision: model.precision,
    exact: String(model.exact),
  };
}

/** A model's head in words. */
export function describeHead({ head = "softmax", network }: Pick<Model, "head" | "network">): string {
  if (head !== "sigmoid") return head;
  return isMultiLabel(head, classesOf(network)) ? "sigmoid (multi-label)" : "sigmoid (binary)";
}

/** A text that is JSON, read. */
export const jsonText = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: "custom", message: "not JSON" });
    return z.NEVER;
  }
});

/** Names every precision; a new one that is left out here does not compile. */
const precisions = { f32: "f32", bf16: "bf16" } as const satisfies { readonly [P in Precision]: P };

const modelSchema = z.object({
  network: jsonText,
  head: z.enum(headNames).optional(),
  classNames: jsonText.pipe(z.array(z.string())),
  preprocessing: jsonText.pipe(preprocessingSchema),
  metrics: jsonText.pipe(z.record(z.string(), z.number())),
  precision: z.enum(precisions),
  /** Default: the behaviour of earlier versions, which had no choice. */
  exact: z
    .enum(["true", "false"])
    .default("true")
    .transform((text) => text === "true"),
});

const optimizerSchema = z.object({
  iteration: z.string().regex(/^\d+$/).transform(Number),
  weights: z.string(),
  position: jsonText,
});

/** Throws CheckpointError if the metadata is not that of a model. */
export function decodeModel(reader: SafetensorsReader): Model {
  const { network: networkJson, ...fields } = decode(reader, modelSchema, "weights file");
  try {
    const network = parseNetwork(networkJson, `${reader.path}: network`);
    const classes = classCount(fields.head ?? "softmax", classesOf(network));
    if (classes !== fields.classNames.length) {
      throw new CheckpointError(
        `${reader.path}: expected ${classes} class names for its network, got ${fields.classNames.length}`,
      );
    }
    return { network, ...fields };
  } catch (cause) {
    if (!(cause instanceof AlexNetError) || cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(messageOf(cause), { cause });
  }
}

/** Position of the training, and the checksum of the weights that the optimizer's state belongs to. */
export interface OptimizerMetadata {
  readonly iteration: number;
  readonly weights: string;
  readonly position: unknown;
}

/** The metadata of an optimizer file. */
export function encodeOptimizer(metadata: OptimizerMetadata): Readonly<Record<string, string>> {
  return {
    formatVersion: formatVersions.softmax,
    iteration: String(metadata.iteration),
    weights: metadata.weights,
    position: JSON.stringify(metadata.position ?? null),
  };
}

/** Throws CheckpointError if the metadata is not that of an optimizer file. */
export function decodeOptimizer(reader: SafetensorsReader): OptimizerMetadata {
  return decode(reader, optimizerSchema, "optimizer file");
}

function decode<T>(reader: SafetensorsReader, schema: z.ZodType<T>, what: string): T {
  const { metadata } = reader.header;
  const { formatVersion: version } = metadata;
  const known: readonly (string | undefined)[] = Object.values(formatVersions);
  if (!known.includes(version)) {
    const got = version === undefined ? "none: it was not written by this program" : `"${version}"`;
    throw new CheckpointError(`${reader.path}: expected a ${what} of format version 1 or 2, got ${got}`);
  }
  const parsed = schema.safeParse(metadata);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`${reader.path}: not a ${what}: ${z.prettifyError(parsed.error)}`);
}
