/** A trained network computed in f32, with the ranges of its activations, or rounded to 8 bits. */
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { checkedRange, type Quantization, roundedPlaces } from "../formats/quantization.ts";
import { dequantizeParameter, IMAGES, type Range, roundActivations } from "../int8.ts";
import { deterministic, type Network, operations } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import type { ScoringProgram } from "../training/evaluation/scores.ts";

/** Computes in f32, without dropout. Calls must not overlap. */
export interface Int8Network extends ScoringProgram {
  /**
   * Least and largest of the images and of each layer's outputs that can be rounded, by the names of `Quantization.activations`, over all calls of `forward`
   * so far. From now on they are no longer looked at.
   */
  takeRanges(): ReadonlyMap<string, Range>;
  /** From now on weights and activations are rounded, as in a file with this quantization. */
  round(quantization: Quantization): Promise<void>;
  close(): void;
}

/** `weights` are by their names in the network. The engine stays the caller's. */
export async function openInt8Network(
  network: Network,
  weights: TensorSource,
  engine: Engine,
  batchSize: number,
): Promise<Int8Network> {
  const places = roundedPlaces(network);
  const names = places.map((place) => network.layers[place]?.name ?? IMAGES);
  const programs: Program[] = [];
  const close = () => {
    for (const program of programs) program.close();
  };
  try {
    const ops = operations(deterministic(network));
    for (const [i, place] of places.entries()) {
      const piece = ops.slice(place + 1, (places[i + 1] ?? ops.length) + 1);
      const inputShape = piece[0]?.inputShape ?? network.input;
      programs.push(await engine.compile({ ops: piece, inputShape, batchSize, precision: "f32" }));
    }
    await writeWeights(programs, weights);
  } catch (error) {
    close();
    throw error;
  }
  const first = programs[0] as Program;
  const ranges = new Map<string, Range>();
  let isWatched = true;
  let quantization: Quantization | undefined;
  return {
    batchSize,
    nextInput: () => first.nextInput(),
    takeRanges() {
      isWatched = false;
      return ranges;
    },
    async forward(images, count, draws) {
      let values = images.subarray(0, count * sizeOf(network.input));
      for (const [i, program] of programs.entries()) {
        const name = names[i] as string;
        const rounding = quantization?.activations.get(name);
        if (isWatched) ranges.set(name, checkedRange(name, widened(ranges.get(name), values)));
        if (rounding) values = roundActivations(values, rounding, program.input.subarray(0, values.length));
        values = await program.forward(values, count, draws);
      }
      return values;
    },
    async round(given) {
      await writeWeights(programs, weights, given);
      quantization = given;
    },
    close,
  };
}

/** As they are, or as they are once they are rounded. */
async function writeWeights(
  programs: readonly Program[],
  weights: TensorSource,
  quantization?: Quantization,
): Promise<void> {
  for (const program of programs) {
    for (const { name, value } of program.parameters) {
      const values = await weights.read(name, program.scratch(sizeOf(value.shape)));
      const rounded = quantization?.parameters.get(name);
      if (rounded) dequantizeParameter(values, rounded);
      await program.write(value, values);
    }
  }
}

/** The range with the values in it; not finite once a value is not. */
function widened({ min, max }: Range = { min: Infinity, max: -Infinity }, values: Float32Array): Range {
  let [low, high] = [min, max];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { min: low, max: high };
}
