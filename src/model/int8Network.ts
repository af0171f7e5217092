/** A trained network that computes in f32 and records the ranges of its activations, or simulates int8. */
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
   * Returns the minimum and maximum of the images and of each layer's outputs that can be quantized, over all calls of `forward` so far. Keys are the
   * names of `Quantization.activations`. Later calls record no ranges.
   */
  takeRanges(): ReadonlyMap<string, Range>;
  /** Rounds weights and activations from now on, as in a file with this quantization. */
  round(quantization: Quantization): Promise<void>;
  close(): void;
}

/** Compiles a network with `weights` by their names in the network. The caller closes the engine. */
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

/** The weights, rounded if a quantization is given. */
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

/** Extends a range by values; it becomes NaN or infinite with the first such value. */
function widened({ min, max }: Range = { min: Infinity, max: -Infinity }, values: Float32Array): Range {
  let [low, high] = [min, max];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { min: low, max: high };
}
