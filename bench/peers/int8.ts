/** Calibration of a workload for 8 bits: the same scheme for every worker. */
import type { Engine } from "../../src/engine/engine.ts";
import { planQuantization, type Quantization } from "../../src/formats/quantization.ts";
import { openInt8Network } from "../../src/model/int8Network.ts";
import { sizeOf } from "../../src/shape.ts";
import type { Workload } from "./workload.ts";

/** Computes the scheme from the ranges of activations on the first image of the workload. */
export async function calibrateWorkload(workload: Workload, engine: Engine): Promise<Quantization> {
  const { network } = workload.chain;
  const weights = new Map<string, Float32Array>();
  for await (const { name, values } of workload.readParameters()) weights.set(name, values);
  const read = (name: string) => (weights.get(name) as Float32Array).slice();
  const rounded = await openInt8Network(network, { tensors: [], read: async (name) => read(name) }, engine, 1);
  try {
    const images = new Float32Array(sizeOf(network.input));
    await workload.readImages(images);
    await rounded.forward(images, 1, { seed: 0, first: 0 });
    return await planQuantization(network, rounded.takeRanges(), read, { dataset: "noise", images: 1 });
  } finally {
    rounded.close();
  }
}
