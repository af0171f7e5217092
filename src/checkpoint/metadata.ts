/** Metadata of a weights file: network, preprocessing, classes, results. */

import * as z from "zod/mini";
import type { Precision } from "../engine/engine.ts";
import { AlexNetError, CheckpointError, messageOf } from "../errors.ts";
import { type Preprocessing, preprocessingSchema } from "../image/prepare/preprocess.ts";
import { classCount, type HeadName, headNames, isMultiLabel } from "../network/head.ts";
import { classesOf, type Network, parseNetwork } from "../network/network.ts";
import { parseJson } from "../schema.ts";
import { importCommand } from "./safetensorsHeader.ts";
import type { SafetensorsReader } from "./safetensorsReader.ts";

/** Everything that a prediction needs except the weights; stored in the metadata of a weights file. */
export interface Model {
  readonly network: Network;
  /** Default: softmax, the head of every network trained here. */
  readonly head?: HeadName | undefined;
  /** In the order of the network's outputs. */
  readonly classNames: readonly string[];
  /**
   * Minimum probability of each class, fitted on validation images. A multi-label network: of a class that is present; default 0.5. Otherwise: of the
   * predicted class, below which an image shows none of the classes; default: none.
   */
  readonly thresholds?: readonly number[] | undefined;
  /** Divisor of the outputs before the head, fitted on validation images. Default: 1. */
  readonly temperature?: number | undefined;
  /** From an image to the network's input. */
  readonly preprocessing: Preprocessing;
  /** Metrics when the weights were saved, such as `testAccuracy`; only finite numbers are stored. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Number format that the weights were trained in. */
  readonly precision: Precision;
  /** Direct convolution only. */
  readonly exact: boolean;
}

/** Version 2 keeps earlier versions from misreading a file: they treat all outputs as softmax logits. */
export const formatVersions = { softmax: "1", otherHeads: "2" } as const;

/** Metadata entries of a model's head. */
export function encodeHead({ head = "softmax" }: Pick<Model, "head">): Readonly<Record<string, string>> {
  return head === "softmax"
    ? { formatVersion: formatVersions.softmax }
    : { formatVersion: formatVersions.otherHeads, head };
}

/** Metadata of a weights file. */
export function encodeModel(model: Model, iteration: number): Readonly<Record<string, string>> {
  return {
    ...encodeHead(model),
    iteration: String(iteration),
    network: JSON.stringify(model.network),
    classNames: JSON.stringify(model.classNames),
    ...encodeDecision(model),
    preprocessing: JSON.stringify(model.preprocessing),
    metrics: JSON.stringify(
      Object.fromEntries(Object.entries(model.metrics).filter(([, value]) => Number.isFinite(value))),
    ),
    precision: model.precision,
    exact: String(model.exact),
  };
}

/** Parses text as JSON. */
export const jsonText = z.pipe(
  z.string(),
  z.transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.issues.push({ code: "custom", message: "not JSON", input: text });
      return z.NEVER;
    }
  }),
);

/** Temperature and thresholds of a model, fitted on validation images. */
export type Decision = Pick<Model, "temperature" | "thresholds">;

/** Metadata entries of a decision. */
export function encodeDecision({ temperature, thresholds }: Decision): Readonly<Record<string, string>> {
  return {
    ...(temperature === undefined ? {} : { temperature: JSON.stringify(temperature) }),
    ...(thresholds ? { thresholds: JSON.stringify(thresholds) } : {}),
  };
}

/** Schema of metadata entries of a decision. */
export const decisionEntries = {
  temperature: z.optional(z.pipe(jsonText, z.number().check(z.gt(0), z.lt(Infinity)))),
  thresholds: z.optional(z.pipe(jsonText, z.array(z.number().check(z.gt(0), z.lt(1))))),
};

/** Description of a model's head. */
export function describeHead({ head = "softmax", network }: Pick<Model, "head" | "network">): string {
  if (head !== "sigmoid") return head;
  return isMultiLabel(head, classesOf(network)) ? "sigmoid (multi-label)" : "sigmoid (binary)";
}

/** All precisions; an omission does not compile. */
const precisions = { f32: "f32", bf16: "bf16" } as const satisfies { readonly [P in Precision]: P };

const modelSchema = z.object({
  network: jsonText,
  head: z.optional(z.enum(headNames)),
  classNames: z.pipe(jsonText, z.array(z.string())),
  ...decisionEntries,
  preprocessing: z.pipe(jsonText, preprocessingSchema),
  metrics: z.pipe(jsonText, z.record(z.string(), z.number())),
  precision: z.enum(precisions),
  /** Default: the behaviour of earlier versions, which had no choice. */
  exact: z.pipe(
    z._default(z.enum(["true", "false"]), "true"),
    z.transform((text) => text === "true"),
  ),
});

const optimizerSchema = z.object({
  iteration: z.pipe(z.string().check(z.regex(/^\d+$/)), z.transform(Number)),
  weights: z.string(),
  decided: z.optional(z.string()),
  position: jsonText,
});

/** The parts of a reader that metadata is decoded from. */
export type HeaderReader = Pick<SafetensorsReader, "path" | "header">;

/** Decodes the metadata of a weights file. Throws CheckpointError if it is invalid. */
export function decodeModel(reader: HeaderReader): Model {
  const { network: networkJson, ...fields } = decode(reader, modelSchema, "weights file");
  try {
    const network = parseNetwork(networkJson, `${reader.path}: network`);
    const classes = classCount(fields.head ?? "softmax", classesOf(network));
    if (classes !== fields.classNames.length) {
      throw new CheckpointError(
        `${reader.path}: expected ${classes} class names for its network, got ${fields.classNames.length}`,
      );
    }
    if (fields.thresholds && fields.thresholds.length !== classes) {
      throw new CheckpointError(`${reader.path}: expected ${classes} thresholds, got ${fields.thresholds.length}`);
    }
    return { network, ...fields };
  } catch (cause) {
    if (!(cause instanceof AlexNetError) || cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(messageOf(cause), { cause });
  }
}

/** Position in training, and the checksum of the weights that the optimizer state belongs to. */
export interface OptimizerMetadata {
  readonly iteration: number;
  /** Checksum of the weights file. */
  readonly weights: string;
  /** Its checksum with another temperature or other thresholds. */
  readonly decided?: string | undefined;
  readonly position: unknown;
}

/** Metadata of an optimizer file. */
export function encodeOptimizer(metadata: OptimizerMetadata): Readonly<Record<string, string>> {
  return {
    formatVersion: formatVersions.softmax,
    iteration: String(metadata.iteration),
    weights: metadata.weights,
    ...(metadata.decided === undefined ? {} : { decided: metadata.decided }),
    position: JSON.stringify(metadata.position ?? null),
  };
}

/** Decodes the metadata of an optimizer file. Throws CheckpointError if it is invalid. */
export function decodeOptimizer(reader: SafetensorsReader): OptimizerMetadata {
  return decode(reader, optimizerSchema, "optimizer file");
}

/** True for the metadata of a file of this program, of any version. */
export function isOwnMetadata(metadata: Readonly<Record<string, string>>): boolean {
  return metadata["formatVersion"] !== undefined;
}

function decode<T>(reader: HeaderReader, schema: z.ZodMiniType<T>, what: string): T {
  const { metadata } = reader.header;
  const { formatVersion: version } = metadata;
  const known: readonly (string | undefined)[] = Object.values(formatVersions);
  if (!known.includes(version)) {
    const got =
      version === undefined
        ? `none: it was not written by this program; import it with: ${importCommand(reader.path)}`
        : `"${version}"`;
    throw new CheckpointError(`${reader.path}: expected a ${what} of format version 1 or 2, got ${got}`);
  }
  const parsed = parseJson(schema, metadata);
  if (parsed.problem === undefined) return parsed.data;
  throw new CheckpointError(`${reader.path}: not a ${what}: ${parsed.problem}`);
}
