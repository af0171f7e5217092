/** Workload of a comparison: network, parameters, images and labels, the same for every participant, read from its files. */
import type { AnyOp, Program } from "../../src/engine/engine.ts";
import type { Network } from "../../src/network/network.ts";
import { type Shape, sizeOf } from "../../src/shape.ts";

/** The network and its chain of operations. Labels are i mod `classes`. */
export interface Chain {
  readonly network: Network;
  readonly inputShape: Shape;
  readonly classes: number;
  /** Training computes the gradient of the images too. */
  readonly inputGradient: boolean;
  readonly ops: readonly AnyOp[];
}

/** Files of a workload: the chain as JSON; parameters in the order of the chain, images, and images that no timed step sees, in f32. */
export const workloadFiles = {
  chain: "network.json",
  parameters: "parameters.f32",
  images: "images.f32",
  fresh: "fresh.f32",
} as const;

/** Reads a workload's files. */
export interface ReadFiles {
  text(file: string): Promise<string>;
  /** Fills `values`, or their beginning if the file ends before, with its bytes from `start`. */
  fill(file: string, start: number, values: Float32Array): Promise<void>;
}

/** Parameter of a network. */
export interface ParameterValues {
  readonly name: string;
  readonly values: Float32Array;
}

/** An opened workload. */
export interface Workload {
  readonly chain: Chain;
  /** Fills `images` with those of the timed steps. */
  readImages(images: Float32Array): Promise<void>;
  /** Fills `images`, or their beginning, with images that no timed step sees. */
  readFreshImages(images: Float32Array): Promise<void>;
  /** All parameters in the order of the chain, each in memory from `allocate`. */
  readParameters(allocate?: (length: number) => Float32Array): AsyncGenerator<ParameterValues>;
}

export async function openWorkload({ text, fill }: ReadFiles): Promise<Workload> {
  const chain: Chain = JSON.parse(await text(workloadFiles.chain));
  return {
    chain,
    readImages: (images) => fill(workloadFiles.images, 0, images),
    readFreshImages: (images) => fill(workloadFiles.fresh, 0, images),
    async *readParameters(allocate = (length) => new Float32Array(length)) {
      let start = 0;
      for (const { name, shape } of chain.ops.flatMap((op) => op.parameters)) {
        const values = allocate(sizeOf(shape));
        await fill(workloadFiles.parameters, start, values);
        start += values.byteLength;
        yield { name, values };
      }
    },
  };
}

/** A batch of the workload's images that begins with those that no timed step sees, if `fresh`. */
export async function readBatch(workload: Workload, batchSize: number, fresh = false): Promise<Float32Array> {
  const images = new Float32Array(batchSize * sizeOf(workload.chain.inputShape));
  await workload.readImages(images);
  if (fresh) await workload.readFreshImages(images);
  return images;
}

/** Targets of the first `count` images, `value` at the class of each, [batchSize, classes]; further images have none. */
export function targetsOf({ classes }: Chain, batchSize: number, count = batchSize, value = 1): Float32Array {
  const rows = new Float32Array(batchSize * classes);
  for (let i = 0; i < count; i++) rows[i * classes + (i % classes)] = value;
  return rows;
}

/** Writes the workload's parameters to a program. */
export async function loadParameters(program: Program, workload: Workload): Promise<void> {
  const tensors = new Map(program.parameters.map(({ name, value }) => [name, value]));
  for await (const { name, values } of workload.readParameters((length) => program.scratch(length))) {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${name}: the program has no such parameter`);
    await program.write(tensor, values);
  }
}
