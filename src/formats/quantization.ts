/** Quantization plan of a network, shared by exported files and their simulation. */

import { CheckpointError, ConfigError } from "../errors.ts";
import {
  IMAGES,
  type Int8Effect,
  type Int8Scheme,
  largestOfRows,
  parameterScales,
  type Range,
  type RoundedParameter,
  roundingFor,
} from "../int8.ts";
import { type Network, place } from "../network/network.ts";

/** 8-bit quantization of a network. */
export interface Quantization extends Int8Scheme {
  /** Images that the ranges of activations were measured on. */
  readonly calibration: Calibration;
}

/** Images that the ranges of the activations were measured on. */
export interface Calibration {
  /** Name of the data set, or its folder. */
  readonly dataset: string;
  readonly images: number;
}

/** Effect of each layer on 8-bit activations. Throws ConfigError for a layer that has no 8-bit form. */
export function int8Layers(network: Network): readonly Int8Effect[] {
  return place(network).map(({ layer: { name, kind }, inInt8 }) => {
    if (inInt8 === "none") throw new ConfigError(`${name}: ${kind} has no 8-bit form; use f32 or bf16`);
    return inInt8;
  });
}

/**
 * Indices of the layers whose outputs are quantized, preceded by −1 for the images: every computed output except the network's. Pooling and
 * the like pass quantized values through; a layer followed by a ReLU is quantized after it.
 *
 * Throws ConfigError if no layer computes anything, or for a layer that has no 8-bit form.
 */
export function roundedPlaces(network: Network): readonly number[] {
  const effects = int8Layers(network);
  const last = effects.findLastIndex((effect) => effect !== "kept");
  if (last < 0) throw new ConfigError(`${network.name}: has no layer that could be quantized to 8 bits`);
  const computed = Array.from({ length: last }, (_, i) => i).filter((i) => effects[i] !== "kept");
  return [-1, ...computed.filter((i) => effects[i + 1] !== "clamped")];
}

/**
 * Plans the quantization of a network from the ranges of its activations, named like `Quantization.activations`. Reads one parameter at a
 * time.
 *
 * Throws CheckpointError if a range or a parameter is not finite.
 */
export async function planQuantization(
  network: Network,
  ranges: ReadonlyMap<string, Range>,
  read: (name: string) => Float32Array | Promise<Float32Array>,
  calibration: Calibration,
): Promise<Quantization> {
  const activations = new Map([...ranges].map(([name, range]) => [name, roundingFor(checkedRange(name, range))]));
  const parameters = new Map<string, RoundedParameter>();
  let inputScale = activations.get(IMAGES)?.scale;
  for (const { layer, parameters: own } of place(network)) {
    const [weight, bias] = own.map(({ name }) => `${layer.name}.${name}`);
    if (weight !== undefined && bias !== undefined) {
      if (inputScale === undefined) throw new Error(`${layer.name}: its input has no quantization`);
      const rows = own[0]?.shape[0] as number;
      const largest = largestOfRows(await read(weight), rows);
      const biases = await read(bias);
      if (![...largest, ...biases].every(Number.isFinite)) {
        throw new CheckpointError(
          `${layer.name}: expected finite weights, got NaN or infinity; export an earlier checkpoint`,
        );
      }
      const [weightScales, biasScales] = parameterScales(largest, biases, inputScale);
      parameters.set(weight, weightScales).set(bias, biasScales);
    }
    inputScale = activations.get(layer.name)?.scale ?? inputScale;
  }
  return { activations, parameters, calibration };
}

/** Returns the range. Throws CheckpointError if it is not finite. */
export function checkedRange(name: string, range: Range): Range {
  if (Number.isFinite(range.min) && Number.isFinite(range.max)) return range;
  const what = name === IMAGES ? "images" : `${name}: its outputs`;
  throw new CheckpointError(
    `${what}: expected finite values on the calibration images, got NaN or infinity; export an earlier checkpoint`,
  );
}
