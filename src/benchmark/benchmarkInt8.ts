/** Times inference of one network in int8, calibrated on the images that it is timed on. */
import type { Engine } from "../engine/engine.ts";
import { foldedNetwork } from "../formats/foldScales.ts";
import { planQuantization } from "../formats/quantization.ts";
import { openInt8Network } from "../model/int8Network.ts";
import { initialValues } from "../network/initialize.ts";
import type { Network } from "../network/network.ts";
import { fillUniform, randomStream } from "../random.ts";
import type { NetworkFigures } from "../report/tables/benchmarkReport.ts";
import { sizeOf } from "../shape.ts";
import { findRecipe } from "../training/recipe.ts";
import { type BenchmarkedCompile, measureInference, SEED } from "./benchmarkNetwork.ts";

/** Ranges are needed for some rounding; speed does not depend on it. */
const CALIBRATION_IMAGES = 8;

/** One round of one network, with initial weights. */
export async function measureInt8(
  engine: Engine,
  trained: Network,
  { batchSize, exact }: Omit<BenchmarkedCompile, "precision">,
): Promise<NetworkFigures["inference"]> {
  const network = foldedNetwork(trained);
  const images = new Float32Array(Math.max(batchSize, CALIBRATION_IMAGES) * sizeOf(network.input));
  fillUniform(randomStream(SEED, "images"), 0, images);
  const parameters = new Map<string, Float32Array>();
  const { initializer } = findRecipe("fashion");
  for (const { name, values } of initialValues(network, initializer, SEED)) {
    parameters.set(name, values.slice());
  }
  const read = async (name: string) => (parameters.get(name) as Float32Array).slice();
  const rounded = await openInt8Network(network, { tensors: [], read }, engine, CALIBRATION_IMAGES);
  try {
    await rounded.forward(images, CALIBRATION_IMAGES, { seed: SEED, first: 0 });
    const calibration = { dataset: "noise", images: CALIBRATION_IMAGES };
    const quantization = await planQuantization(network, rounded.takeRanges(), read, calibration);
    return await measureInference(
      engine,
      network,
      images,
      { batchSize, exact, precision: "int8", quantization },
      parameters,
    );
  } finally {
    rounded.close();
  }
}
