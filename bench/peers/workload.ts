/** Workload of a comparison: network, parameters, images and labels, the same for every worker. */
import { createWriteStream, openSync, readFileSync, readSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { AnyOp, Program } from "../../src/engine/engine.ts";
import { type Initializer, initialValues } from "../../src/network/initialize.ts";
import { classesOf, type Network, operations } from "../../src/network/network.ts";
import { fillGaussian, randomStream } from "../../src/random.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";
import { isLayerNetwork } from "./layerNetworks.ts";
import { CHECKED_IMAGES } from "./protocol.ts";

/** The network and its chain of operations, in `network.json`. Labels are i mod `classes`. */
export interface Chain {
  readonly network: Network;
  readonly inputShape: Shape;
  readonly classes: number;
  /** Training computes the gradient of the images too. */
  readonly inputGradient: boolean;
  readonly ops: readonly AnyOp[];
}

/** All parameters in the order of the chain, f32. */
const PARAMETERS_FILE = "parameters.f32";
const CHAIN_FILE = "network.json";
const IMAGES_FILE = "images.f32";
/** Images that no timed step sees. */
const FRESH_FILE = "fresh.f32";
const SEED = 1;
const INITIALIZER: Initializer = { weight: { kind: "pytorch" }, bias: "pytorch", ones: [] };

/** Writes the files of a workload to a folder. */
export async function writeWorkload(folder: string, network: Network, batchSize: number): Promise<void> {
  const { input } = network;
  const chain: Chain = {
    network,
    inputShape: input,
    classes: classesOf(network),
    inputGradient: isLayerNetwork(network),
    ops: operations(network),
  };
  await writeFile(join(folder, CHAIN_FILE), JSON.stringify(chain));
  const writeImages = async (file: string, count: number) => {
    const images = new Float32Array(count * sizeOf(network.input));
    fillGaussian(randomStream(SEED, file), 0, images, 1);
    await writeFile(join(folder, file), images);
  };
  await writeImages(IMAGES_FILE, batchSize);
  await writeImages(FRESH_FILE, CHECKED_IMAGES);
  const values = initialValues(network, INITIALIZER, SEED);
  await pipeline(
    function* () {
      for (const parameter of values) yield new Uint8Array(parameter.values.buffer);
    },
    createWriteStream(join(folder, PARAMETERS_FILE)),
  );
}

export function readChain(folder: string): Chain {
  return JSON.parse(readFileSync(join(folder, CHAIN_FILE), "utf8"));
}

/** Fills `images` with the workload's. */
export function readImages(folder: string, images: Float32Array): void {
  readSync(openSync(join(folder, IMAGES_FILE), "r"), images);
}

/** Fills `images`, or their start, from the images that no timed step sees. */
export function readFreshImages(folder: string, images: Float32Array): void {
  readSync(openSync(join(folder, FRESH_FILE), "r"), images);
}

/** All parameters of a chain in its order, each in memory from `allocate`. */
export function* readParameters(
  folder: string,
  { ops }: Chain,
  allocate: (length: number) => Float32Array,
): Generator<{ readonly name: string; readonly values: Float32Array }> {
  const file = openSync(join(folder, PARAMETERS_FILE), "r");
  for (const { name, shape } of ops.flatMap((op) => op.parameters)) {
    const values = allocate(sizeOf(shape));
    readSync(file, values);
    yield { name, values };
  }
}

/** Writes the workload's parameters to a program. */
export async function loadParameters(program: Program, folder: string, chain: Chain): Promise<void> {
  const tensors = new Map(program.parameters.map(({ name, value }) => [name, value]));
  for (const { name, values } of readParameters(folder, chain, (length) => program.scratch(length))) {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${name}: the program has no such parameter`);
    await program.write(tensor, values);
  }
}
