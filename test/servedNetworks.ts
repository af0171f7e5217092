/** Weights files of small networks to serve. */
import type { Preprocessing } from "../src/image/prepare/preprocess.ts";
import { conv2d, dropout, flatten, linear, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";

/** Height and width of the inputs. */
export const SIDE = 16;
export const classNames = ["ant", "<b>bee</b>", "cat", "dog", "eel", "fox", "gnu"];

function network(channels: 1 | 3, more: readonly AnyLayer[] = []): Network {
  const layers = [
    conv2d("conv1", { outChannels: 4, kernelSize: 5 }),
    relu("relu1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 24 }),
    ...more,
    linear("fc3", { outFeatures: classNames.length }),
  ] as readonly AnyLayer[];
  return { name: "small", source: "", deviations: [], input: [channels, SIDE, SIDE], layers };
}

/** Writes a colour network whose fit crops, and that subtracts a mean image. */
export async function writeColour(file: string): Promise<void> {
  const preprocessing: Preprocessing = {
    ...{ size: [SIDE, SIDE], channels: 3, fit: { kind: "crop", shorterSide: 21 }, resize: "bilinear" },
    ...{ mean: [0.5, 0.4, 0.3], deviation: [0.2, 0.3, 0.4] },
    meanImage: Buffer.from(Uint8Array.from({ length: 3 * 21 * 21 }, (_, i) => (i * 37) % 90)).toString("base64"),
  };
  await writeDrawn(modelOf(network(3), { classNames, preprocessing }), file);
}

/** Writes a grey network. */
export async function writeGrey(file: string): Promise<void> {
  await writeDrawn(modelOf(network(1), { classNames }), file);
}

/** Writes a network with several labels an image, each present from the same probability on. */
export async function writeTags(file: string, threshold: number): Promise<void> {
  const thresholds = classNames.map(() => threshold);
  await writeDrawn(modelOf(network(3), { classNames, head: "sigmoid", thresholds }), file);
}

/** Writes a network whose dropout stays active: predictions are a function of the image, but random. */
export async function writeRandom(file: string): Promise<void> {
  const more = [dropout("drop2", { activeAtEvaluation: true })] as readonly AnyLayer[];
  await writeDrawn(modelOf(network(3, more), { classNames }), file);
}
