/** Estimate of training memory, from what each kind of layer keeps for its backward pass. */
import { bytesPerNumber } from "../bytes.ts";
import { hoistMaxPool } from "../hoistMaxPool.ts";
import { learned } from "../learned.ts";
import { sizeOf } from "../shape.ts";
import type { PlacedLayer } from "./network.ts";

/** Bytes that training with momentum needs for a batch, in 32-bit floats. */
export interface TrainingMemory {
  /** Weights, biases and running statistics. */
  readonly parameters: number;
  readonly gradients: number;
  readonly velocities: number;
  /**
   * Peak of activations, their gradients and data kept for backward passes, with memory reused as soon as possible. Excludes the engine's scratch
   * memory.
   */
  readonly activations: number;
  readonly total: number;
}

/** Size in bytes of a tensor of this shape for `count` images. */
export function activationBytes(shape: readonly number[], count: number): number {
  return bytesPerNumber * sizeOf(shape) * count;
}

/** Training memory at a batch size. */
export function trainingMemory(placed: readonly PlacedLayer[], batchSize: number): TrainingMemory {
  const bytesOf = (tensors: PlacedLayer["parameters"]) =>
    tensors.reduce((bytes, { shape }) => bytes + activationBytes(shape, 1), 0);
  const all = placed.flatMap(({ parameters }) => parameters);
  const [parameters, gradients] = [bytesOf(all), bytesOf(learned(all))];
  const activations = peak(hoistMaxPool(placed), batchSize);
  const total = parameters + 2 * gradients + activations;
  return { parameters, gradients, velocities: gradients, activations, total };
}

/**
 * Visits each layer once. The peak at a layer is that of its forward pass or its backward pass, when everything of later layers is already free.
 */
function peak(chain: readonly PlacedLayer[], batchSize: number): number {
  /** Sizes in bytes of the distinct buffers: the batch, then outputs not stored in the memory of their input. */
  const pieces = [activationBytes(chain[0]?.inputShape ?? [], batchSize)];
  const bytesOf = (indices: Iterable<number>) => [...indices].reduce((sum, i) => sum + (pieces[i] as number), 0);
  // The batch is written before the first step, and kept.
  const kept = new Set([0]);
  const lowest = chain.findIndex(({ parameters }) => learned(parameters).length > 0);
  let [input, notes, most] = [0, 0, 0];
  chain.forEach(({ keeps, inputShape, outputShape }, i) => {
    const { reads, memory, noteBytes } = keeps;
    const outputBytes = activationBytes(outputShape, batchSize);
    const isSame = memory === "view" || (memory === "inPlace" && !kept.has(input));
    const output = isSame ? input : pieces.push(outputBytes) - 1;
    const ownNotes = noteBytes * sizeOf(outputShape) * batchSize;
    most = Math.max(most, notes + ownNotes + bytesOf(new Set([...kept, input, output])));
    // The backward pass ends at the first layer with parameters.
    if (lowest >= 0 && i >= lowest) {
      notes += ownNotes;
      if (reads !== "neither") kept.add(reads === "input" ? input : output);
      const gradients = outputBytes + (i > lowest && memory === "new" ? activationBytes(inputShape, batchSize) : 0);
      most = Math.max(most, notes + bytesOf(kept) + gradients);
    }
    input = output;
  });
  return most;
}
