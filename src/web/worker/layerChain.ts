/** A network compiled layer by layer, so that one pass yields the outputs of all layers. */
import type { AnyOp, Engine, Program } from "../../engine/engine.ts";
import { type NetworkModel, writeWeights } from "../../model/networkModel.ts";
import { operations, type PlacedLayer, place } from "../../network/network.ts";

/** A network that returns the outputs of its layers. */
export interface LayerChain {
  /** Layers whose outputs are returned: those that change values at evaluation. The last one has the network's outputs. */
  readonly layers: readonly PlacedLayer[];
  /** Outputs of `layers` for one prepared image. */
  forward(input: Float32Array): Promise<readonly Float32Array[]>;
  close(): void;
}

/** Compiles a network for one image at a time. Throws as `Engine.compile`. */
export async function compileLayers(
  { network, weights, exact }: Pick<NetworkModel, "network" | "weights" | "exact">,
  engine: Engine,
): Promise<LayerChain> {
  const placed = place(network);
  const ops = operations(network);
  const ends = placed.flatMap((layer, i) => (i === placed.length - 1 || isShown(layer) ? [i] : []));
  const programs: Program[] = [];
  try {
    for (const [n, end] of ends.entries()) {
      const part = ops.slice(n === 0 ? 0 : (ends[n - 1] as number) + 1, end + 1);
      const inputShape = (part[0] as AnyOp).inputShape;
      const program = await engine.compile({ ops: part, inputShape, batchSize: 1, precision: "f32", exact });
      programs.push(program);
      await writeWeights(program, program.parameters, weights);
    }
  } catch (error) {
    for (const program of programs) program.close();
    throw error;
  }
  return {
    layers: ends.map((end) => placed[end] as PlacedLayer),
    async forward(input) {
      const outputs: Float32Array[] = [];
      for (const program of programs) {
        outputs.push(await program.forward(outputs.at(-1) ?? input, 1, { seed: 0, first: 0 }));
      }
      return outputs;
    },
    close() {
      for (const program of programs) program.close();
    },
  };
}

/** False for layers that pass values through: `flatten`, and dropout that is off at evaluation. */
function isShown({ keeps, randomness }: PlacedLayer): boolean {
  return keeps.memory !== "view" && randomness !== "training";
}
