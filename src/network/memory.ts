/** The memory that training needs, from what each kind of layer keeps for its backward pass. */
import { hoistMaxPool } from "../hoistMaxPool.ts";
import { sizeOf } from "../shape.ts";
import type { PlacedLayer } from "./network.ts";

/** Bytes that training with momentum takes for a batch, in 32-bit floats. */
export interface TrainingMemory {
  readonly parameters: number;
  readonly gradients: number;
  readonly velocities: number;
  /**
   * Peak of activations, their gradients and whatever backward passes read again, with memory reused as soon as nothing in it is needed. The scratch
   * space of an engine comes on top.
   */
  readonly activations: number;
  readonly total: number;
}

const bytesPerNumber = 4;

/** Bytes of a tensor of that shape for each of `count` images. */
export function activationBytes(shape: readonly number[], count: number): number {
  return bytesPerNumber * sizeOf(shape) * count;
}

/** Training memory at a batch size. */
export function trainingMemory(placed: readonly PlacedLayer[], batchSize: number): TrainingMemory {
  const parameters = placed.reduce(
    (sum, layer) => sum + layer.parameters.reduce((bytes, { shape }) => bytes + activationBytes(shape, 1), 0),
    0,
  );
  const activations = peak(hoistMaxPool(placed), batchSize);
  const learned = { parameters, gradients: parameters, velocities: parameters };
  return { ...learned, activations, total: 3 * parameters + activations };
}

/**
 * Walks up the chain once. At each layer it takes the bytes of the forward pass there, and of the backward pass there: everything above is needed no
 * more by then.
 */
function peak(chain: readonly PlacedLayer[], batchSize: number): number {
  /** Bytes of the pieces of memory: the batch, then the outputs that are not in the memory of their input. */
  const pieces = [activationBytes(chain[0]?.inputShape ?? [], batchSize)];
  const bytesOf = (indices: Iterable<number>) => [...indices].reduce((sum, i) => sum + (pieces[i] as number), 0);
  // The batch is written before the first step, and stays.
  const kept = new Set([0]);
  const lowest = chain.findIndex(({ parameters }) => parameters.length > 0);
  let [input, notes, most] = [0, 0, 0];
  chain.forEach(({ keeps, inputShape, outputShape }, i) => {
    const { reads, memory, noteBytes } = keeps;
    const outputBytes = activationBytes(outputShape, batchSize);
    const isSame = memory === "view" || (memory === "inPlace" && !kept.has(input));
    const output = isSame ? input : pieces.push(outputBytes) - 1;
    const ownNotes = noteBytes * sizeOf(outputShape) * batchSize;
    most = Math.max(most, notes + ownNotes + bytesOf(new Set([...kept, input, output])));
    // The backward pass ends at the lowest layer that learns.
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
