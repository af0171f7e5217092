/** A network's quantization to int8, stored next to its weights. */
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { bytesOf } from "../checkpoint/safetensorsWriter.ts";
import { CheckpointError, codeOf, messageOf } from "../errors.ts";
import { type Quantization, roundedPlaces } from "../formats/quantization.ts";
import { IMAGES } from "../int8.ts";
import { type Network, parametersOf } from "../network/network.ts";
import { parseJsonText, problemsOf } from "../schema.ts";

/** Version of the file's format. */
const VERSION = 1;

/** Path of the quantization of a weights file. */
export function int8FileOf(weights: string): string {
  return `${weights.replace(/\.safetensors$/, "")}.int8.json`;
}

const rounding = z.strictObject({ scale: z.number().positive(), zeroPoint: z.int().min(0).max(255) });
/** f32 scales as bytes, little-endian, in base64. */
const parameter = z.strictObject({ type: z.enum(["INT8", "INT32"]), scales: z.base64() });
const schema = z.strictObject({
  version: z.literal(VERSION),
  weights: z.string(),
  calibration: z.strictObject({ dataset: z.string(), images: z.int().positive() }),
  activations: z.record(z.string(), rounding),
  parameters: z.record(z.string(), parameter),
});

/**
 * Reads the quantization stored for weights of this checksum; undefined if there is none, or it belongs to other weights.
 *
 * Throws CheckpointError if the file is unreadable, or does not fit `network`.
 */
export async function readInt8File(
  weights: string,
  checksum: string,
  network: Network,
): Promise<Quantization | undefined> {
  const file = int8FileOf(weights);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CheckpointError(`${file}: cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (text === undefined) return undefined;
  const stored = parse(file, text);
  if (stored.weights !== checksum) return undefined;
  const parameters = Object.entries(stored.parameters).map(([name, { type, scales }]) => {
    const bytes = Uint8Array.from(Buffer.from(scales, "base64"));
    return [name, { type, scales: new Float32Array(bytes.buffer, 0, Math.floor(bytes.length / 4)) }] as const;
  });
  const { calibration } = stored;
  const quantization = {
    activations: new Map(Object.entries(stored.activations)),
    parameters: new Map(parameters),
    calibration,
  };
  requireWhole(file, quantization, network);
  return quantization;
}

function parse(file: string, text: string): z.infer<typeof schema> {
  try {
    return schema.parse(parseJsonText(text));
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new CheckpointError(`${file}: not a stored calibration: ${problem}`, { cause });
  }
}

/** Throws CheckpointError unless the file has a quantization of every layer. */
function requireWhole(file: string, { activations, parameters }: Quantization, network: Network): void {
  const names = roundedPlaces(network).map((place) => network.layers[place]?.name ?? IMAGES);
  const missing = names.filter((name) => !activations.has(name));
  const odd = parametersOf(network).filter(({ name, shape }) => parameters.get(name)?.scales.length !== shape[0]);
  if (missing.length === 0 && odd.length === 0 && names.length === activations.size) return;
  throw new CheckpointError(`${file}: not a stored calibration of ${network.name}: its layers differ`);
}

/**
 * Stores the quantization of weights of this checksum, replacing any other.
 *
 * Throws CheckpointError if it cannot be written; the old file then stays.
 */
export async function writeInt8File(weights: string, checksum: string, quantization: Quantization): Promise<void> {
  const parameters = [...quantization.parameters].map(([name, { type, scales }]) => {
    return [name, { type, scales: Buffer.from(bytesOf(scales)).toString("base64") }] as const;
  });
  const stored: z.infer<typeof schema> = {
    version: VERSION,
    weights: checksum,
    calibration: quantization.calibration,
    activations: Object.fromEntries(quantization.activations),
    parameters: Object.fromEntries(parameters),
  };
  await writeFileDurably(int8FileOf(weights), `${JSON.stringify(stored)}\n`);
}
