/** Tensors of a finished chain: scales and shifts are folded into them, and their sizes and values are checked. */
import { nonFiniteRemedy } from "../checkpoint/tensorStore.ts";
import { CheckpointError, UnsupportedError } from "../errors.ts";
import { nonFiniteProblem } from "../finite.ts";
import type { Affine } from "../layers/layer.ts";
import { type Network, place } from "../network/network.ts";
import { sizeOf } from "../shape.ts";
import { foldedAfter } from "./affine.ts";

/** Folds the scale and shift after each of these layers into its parameters. */
export function foldAffines(affines: ReadonlyMap<string, Affine>, tensors: Map<string, Float32Array>): void {
  for (const [layer, affine] of affines) {
    const [weight, bias] = [`${layer}.weight`, `${layer}.bias`];
    const stored = { weight: tensors.get(weight) as Float32Array, bias: tensors.get(bias) as Float32Array };
    const folded = foldedAfter(stored, affine);
    tensors.set(weight, folded.weight).set(bias, folded.bias);
  }
}

/** Throws UnsupportedError for a parameter of the wrong size, CheckpointError for one that is not finite. */
export function checkTensors(network: Network, tensors: ReadonlyMap<string, Float32Array>, origin: string): void {
  for (const { layer, parameters } of place(network)) {
    for (const { name, shape } of parameters) {
      const what = `${origin}: ${layer.name}.${name}`;
      const values = tensors.get(`${layer.name}.${name}`);
      if (values?.length !== sizeOf(shape)) {
        throw new UnsupportedError(`${what}: expected [${shape.join(", ")}], got ${values?.length} values`);
      }
      const problem = nonFiniteProblem(values);
      if (problem !== undefined) throw new CheckpointError(`${what}: ${problem}; ${nonFiniteRemedy}`);
    }
  }
}
