/** The memory that training needs, from what each kind of layer keeps for its backward pass. */
import { layerKinds } from "../layers/kinds.ts";
import type { KeptForBackward } from "../layers/layer.ts";
import { sizeOf } from "../shape.ts";
import type { PlacedLayer } from "./network.ts";

/** Bytes that training with momentum takes for a batch, in 32-bit floats. */
export interface TrainingMemory {
  readonly parameters: number;
  readonly gradients: number;
  readonly velocities: number;
  /**
   * The most that activations, their gradients and what backward passes look up take at a time, where memory is used again as soon as nothing in
   * it is needed. What an engine takes to compute with comes on top.
   */
  readonly activations: number;
  readonly total: number;
}

const bytesPerNumber = 4;

/** Bytes of a tensor of that shape for each of `count` images. */
export function activationBytes(shape: readonly number[], count: number): number {
  return bytesPerNumber * sizeOf(shape) * count;
}

/** What training takes at a batch size. */
export function trainingMemory(placed: readonly PlacedLayer[], batchSize: number): TrainingMemory {
  const parameters = placed.reduce(
    (sum, layer) => sum + layer.parameters.reduce((bytes, { shape }) => bytes + activationBytes(shape, 1), 0),
    0,
  );
  const activations = mostAtOnce(placed, batchSize);
  const learned = { parameters, gradients: parameters, velocities: parameters };
  return { ...learned, activations, total: 3 * parameters + activations };
}

/** A layer's part in the walk: numbers of the pieces of memory that hold its input and output, and what it notes. */
interface Stage {
  readonly keeps: KeptForBackward;
  readonly input: number;
  readonly output: number;
  readonly noteBytes: number;
}

/** Max pooling before the activation that precedes it, as in `KeptForBackward.order`. */
function largestFirst(placed: readonly PlacedLayer[]): readonly PlacedLayer[] {
  const ordered = [...placed];
  for (let i = 0; i + 1 < ordered.length; i++) {
    const [before, after] = [ordered[i] as PlacedLayer, ordered[i + 1] as PlacedLayer];
    if (orderOf(before) !== "increasing" || orderOf(after) !== "largest") continue;
    ordered[i] = after;
    ordered[i + 1] = { ...before, inputShape: after.outputShape, outputShape: after.outputShape };
  }
  return ordered;
}

function orderOf({ layer }: PlacedLayer): KeptForBackward["order"] {
  return layerKinds[layer.kind].keeps.order;
}

function mostAtOnce(asWritten: readonly PlacedLayer[], batchSize: number): number {
  const placed = largestFirst(asWritten);
  const pieces = [activationBytes(placed[0]?.inputShape ?? [], batchSize)];
  const stages = placed.map(({ layer, outputShape }): Stage => {
    const { keeps } = layerKinds[layer.kind];
    const input = pieces.length - 1;
    if (!keeps.inPlace) pieces.push(activationBytes(outputShape, batchSize));
    return { keeps, input, output: pieces.length - 1, noteBytes: keeps.noteBytes * sizeOf(outputShape) * batchSize };
  });
  const bytes = (numbers: Iterable<number>) => [...numbers].reduce((sum, i) => sum + (pieces[i] ?? 0), 0);
  const lowest = placed.findIndex(({ parameters }) => parameters.length > 0);
  // The batch stays, since it is written before the first step.
  const kept = new Set([0]);
  let notes = 0;
  let most = 0;
  stages.forEach(({ keeps, input, output, noteBytes }, i) => {
    if (keeps.reads === "input") kept.add(input);
    if (keeps.reads === "output") kept.add(output);
    notes += noteBytes;
    const gradients = new Set(i > lowest ? [input, output] : [output]);
    // Forward at this layer, then backward: what is above it is needed no more.
    most = Math.max(most, notes + bytes(new Set([...kept, input, output])), notes + bytes(kept) + bytes(gradients));
  });
  return most;
}
