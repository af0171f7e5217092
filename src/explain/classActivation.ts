/** Class activation: the places of the last convolution that raise the score of a class (Grad-CAM). */
import type { Engine } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { hasWeights } from "../learned.ts";
import { type NetworkModel, writeWeights } from "../model/networkModel.ts";
import { type Network, operations, place } from "../network/network.ts";
import { equalShapes, type Shape, sizeOf } from "../shape.ts";

/** Importance of each place of a layer's feature maps for the score of a class. */
export interface ClassActivation {
  /** Layer whose maps are weighted: the last convolution, with its activation. */
  readonly layer: string;
  readonly height: number;
  readonly width: number;
  /** Row by row from the top, 0 or above; 1 at the most important place. */
  readonly values: Float32Array;
}

/** Computes class activations of one network. */
export interface ClassActivator {
  readonly layer: string;
  /** The network's outputs, from those of `layer` for one image. */
  outputs(maps: Float32Array): Promise<Float32Array>;
  /** Class activation for the outputs of `layer` for one image, and the index of a class. */
  compute(maps: Float32Array, index: number): Promise<ClassActivation>;
  /** Frees the memory of its program. */
  close(): void;
}

/**
 * Compiles the layers after the last feature maps, to differentiate class scores by them. Dropout is left out, as at evaluation.
 *
 * value[y, x] = max(0, Σ_k a_k · A_k[y, x]), with a_k the mean over y and x of ∂score / ∂A_k[y, x], divided by the largest value.
 *
 * Throws ConfigError for a network without feature maps before its outputs.
 * Source: Selvaraju et al. 2017, “Grad-CAM: visual explanations from deep networks via gradient-based localization”, equations 1 and 2.
 */
export async function createClassActivator(
  { network, weights, exact }: Pick<NetworkModel, "network" | "weights" | "exact">,
  engine: Engine,
): Promise<ClassActivator> {
  const { layer, shape, tail } = splitAtMaps(network);
  const ops = operations(tail);
  const program = await engine.compileTraining({
    ops,
    inputShape: shape,
    batchSize: 1,
    precision: "f32",
    exact,
    inputGradient: true,
    // Running statistics, as at evaluation: those of one image would differ.
    frozen: ops.map(({ name }) => name),
  });
  await writeWeights(program, program.frozen, weights);
  const outputs = sizeOf(program.outputShape);
  return {
    layer,
    outputs: (maps) => program.forward(maps, 1, { seed: 0, first: 0 }),
    async compute(maps, index) {
      await program.forwardTraining(maps, 1, { seed: 0, first: 0 });
      await program.backward(scoreGradient(outputs, index));
      const { inputGradient } = program;
      if (!inputGradient) throw new Error("class activation: no input gradient");
      return { layer, ...weighted(maps, await program.read(inputGradient), shape) };
    },
    close: () => program.close(),
  };
}

/** Gradient of a class's score by the outputs. A single output is the logit of the second of two classes, and its negative that of the first. */
function scoreGradient(outputs: number, index: number): Float32Array {
  if (outputs === 1) return Float32Array.of(index === 1 ? 1 : -1);
  return Float32Array.from({ length: outputs }, (_, c) => Number(c === index));
}

/** Name of the layer whose feature maps class activation weights; undefined for a network without one. */
export function featureMapLayer(network: Network): string | undefined {
  return mapsOf(network)?.layer;
}

/**
 * The last layer with weights that outputs feature maps, with the layers of the same shape after it, such as ReLU; and the network after these,
 * without layers that are random.
 */
function splitAtMaps(network: Network): SplitNetwork {
  const found = mapsOf(network);
  if (found) return found;
  throw new ConfigError(`${network.name}: class activation: expected feature maps before its outputs`);
}

/** A network at its last feature maps. */
interface SplitNetwork {
  readonly layer: string;
  readonly shape: Shape;
  readonly tail: Network;
}

function mapsOf(network: Network): SplitNetwork | undefined {
  const placed = place(network);
  const convolution = placed.findLastIndex((layer) => layer.outputShape.length === 3 && hasWeights(layer));
  const shapeOf = (index: number) => placed[index]?.outputShape ?? [];
  let last = convolution;
  while (equalShapes(shapeOf(last + 1), shapeOf(convolution))) last++;
  const found = placed[last];
  if (!found || last === placed.length - 1) return undefined;
  const layers = placed
    .slice(last + 1)
    .filter(({ randomness }) => randomness === "never")
    .map(({ layer }) => layer);
  const shape = found.outputShape;
  const input = [shape[0] as number, shape[1] as number, shape[2] as number] as const;
  return { layer: found.layer.name, shape, tail: { ...network, input, layers } };
}

function weighted(maps: Float32Array, gradient: Float32Array, [channels = 0, height = 0, width = 0]: Shape) {
  const plane = height * width;
  const values = new Float32Array(plane);
  for (let k = 0; k < channels; k++) {
    let sum = 0;
    for (let p = 0; p < plane; p++) sum += gradient[k * plane + p] as number;
    for (let p = 0; p < plane; p++) {
      values[p] = (values[p] as number) + (sum / plane) * (maps[k * plane + p] as number);
    }
  }
  const most = values.reduce((largest, value) => Math.max(largest, value), 0);
  return { height, width, values: values.map((value) => (most > 0 ? Math.max(0, value) / most : 0)) };
}
