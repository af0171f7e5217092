/** A data set and networks so small that a run takes seconds, and what is compared of two runs. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LogEntry } from "../src/checkpoint/runLog.ts";
import { conv2d, dropout, flatten, linear, localResponseNorm, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";
import { fillWords, randomStream } from "../src/random.ts";

function network(name: string, layers: readonly unknown[]): Network {
  return { name, source: "", deviations: [], input: [1, 28, 28], layers: layers as readonly AnyLayer[] };
}

const features = [
  conv2d("conv1", { outChannels: 8, kernelSize: 5, stride: 2 }),
  relu("relu1"),
  localResponseNorm("norm1"),
  maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
  flatten("flatten"),
  linear("fc2", { outFeatures: 16 }),
  relu("relu2"),
];

/** One of each: 3,594 parameters. */
export const tinyNetwork = network("tiny", [
  ...features,
  dropout("drop2", { probability: 0.25 }),
  linear("fc3", { outFeatures: 10 }),
]);

/** Its answers are draws, as those of `alexnet-rgb`. */
export const drawingNetwork = network("drawing", [
  ...features,
  linear("fc3", { outFeatures: 10 }),
  dropout("drop3", { activeAtEvaluation: true }),
]);

/** 205,066 parameters: its checkpoints are larger than the other files of a run. */
export const wideNetwork = network("wide", [
  flatten("flatten"),
  linear("fc1", { outFeatures: 256 }),
  relu("relu1"),
  linear("fc2", { outFeatures: 10 }),
]);

/** Two towers: normalised and convolved in two groups, then across them, as the paper's network. */
export const twoTowers = network("two-towers", [
  conv2d("conv1", { outChannels: 8, kernelSize: 5, stride: 2 }),
  relu("relu1"),
  localResponseNorm("norm1", { groups: 2 }),
  maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
  conv2d("conv2", { outChannels: 8, kernelSize: 3, padding: 1, groups: 2 }),
  relu("relu2"),
  conv2d("conv3", { outChannels: 8, kernelSize: 3 }),
  relu("relu3"),
  flatten("flatten"),
  linear("fc4", { outFeatures: 16 }),
  relu("relu4"),
  dropout("drop4", { probability: 0.25 }),
  linear("fc5", { outFeatures: 10 }),
]);

const pixels = 28 * 28;

/** An idx file: the extents, then the bytes. */
export function idx(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt32BE(0x0800 + shape.length);
  for (const [axis, extent] of shape.entries()) header.writeUInt32BE(extent, 4 + 4 * axis);
  return Buffer.concat([header, bytes]);
}

/** The four files of a data set in a folder: noise, in which the place of a bright square is the class. */
export async function writeTinyDataset(folder: string, images: { train: number; test: number }): Promise<void> {
  for (const [prefix, count] of [["train", images.train] as const, ["t10k", images.test] as const]) {
    const data = Buffer.alloc(count * pixels);
    const words = new Uint32Array(data.length);
    fillWords(randomStream(1, prefix), 0, words);
    const labels = Buffer.alloc(count);
    for (let i = 0; i < count; i++) {
      const label = (words[i * pixels] as number) % 10;
      labels[i] = label;
      for (let p = 0; p < pixels; p++) {
        const [x, y] = [p % 28, Math.floor(p / 28)];
        const inSquare = Math.floor(x / 7) === label % 4 && Math.floor(y / 9) === Math.floor(label / 4);
        data[i * pixels + p] = ((words[i * pixels + p] as number) >>> 25) + (inSquare ? 100 : 0);
      }
    }
    await writeFile(join(folder, `${prefix}-images-idx3-ubyte`), idx([count, 28, 28], data));
    await writeFile(join(folder, `${prefix}-labels-idx1-ubyte`), idx([count], labels));
  }
}

/** Writes a data set, and a network in tiny.json, for commands. */
export async function writeTinyRun(folder: string, images: { train: number; test: number }): Promise<void> {
  await writeTinyDataset(folder, images);
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
}

/** The newest weights of a run with everything that is said about them, to the bit; there is no time in it. */
export function lastWeights(run: string): Promise<Buffer> {
  return readFile(join(run, "last.safetensors"));
}

/** A run's log without what depends on the clock. */
export async function timelessLog(run: string): Promise<readonly Partial<LogEntry>[]> {
  const lines = (await readFile(join(run, "log.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const { seconds: _seconds, examplesPerSecond: _rate, ...entry }: LogEntry = JSON.parse(line);
    return entry;
  });
}
