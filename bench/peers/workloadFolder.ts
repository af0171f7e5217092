/** Folder of a workload. */
import { closeSync, createWriteStream, openSync, readSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Initializer, initialValues } from "../../src/network/initialize.ts";
import { classesOf, type Network, operations } from "../../src/network/network.ts";
import { fillGaussian, randomStream } from "../../src/random.ts";
import { sizeOf } from "../../src/shape.ts";
import { isLayerNetwork } from "./layerNetworks.ts";
import { CHECKED_IMAGES } from "./protocol.ts";
import { type Chain, openWorkload, type Workload, workloadFiles } from "./workload.ts";

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
  await writeFile(join(folder, workloadFiles.chain), JSON.stringify(chain));
  const writeImages = async (file: string, count: number) => {
    const images = new Float32Array(count * sizeOf(network.input));
    fillGaussian(randomStream(SEED, file), 0, images, 1);
    await writeFile(join(folder, file), images);
  };
  await writeImages(workloadFiles.images, batchSize);
  await writeImages(workloadFiles.fresh, CHECKED_IMAGES);
  const values = initialValues(network, INITIALIZER, SEED);
  await pipeline(
    function* () {
      for (const parameter of values) yield new Uint8Array(parameter.values.buffer);
    },
    createWriteStream(join(folder, workloadFiles.parameters)),
  );
}

/** Opens the workload of a folder. */
export function openFolder(folder: string): Promise<Workload> {
  return openWorkload({
    text: (file) => readFile(join(folder, file), "utf8"),
    async fill(file, start, values) {
      readPart(join(folder, file), start, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    },
  });
}

/** Fills `bytes`, or their beginning if the file ends before, with those of a file from `start`. Returns their number. */
export function readPart(path: string, start: number, bytes: Uint8Array): number {
  const file = openSync(path, "r");
  try {
    return readSync(file, bytes, 0, bytes.length, start);
  } finally {
    closeSync(file);
  }
}
