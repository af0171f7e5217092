/** Images that a small network tells apart by their colours. */
import sharp, { type Sharp } from "sharp";
import { conv2d, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";

/** Network of three outputs, whose input is smaller than the images. */
export const colourNetwork: Network = {
  name: "colours",
  source: "",
  deviations: [],
  input: [3, 12, 12],
  layers: [
    conv2d("conv1", { outChannels: 6, kernelSize: 3, stride: 2 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 3 }),
  ] as readonly AnyLayer[],
};

/** Names of colours, by channel from the last. */
export const colourNames = ["blue", "green", "red"] as const;

/** Image of 16×16 pixels: the channels of the given colours are bright, with noise that depends on `seed`; the others are dark. */
export function colourPhoto(colours: readonly number[], seed: number): Sharp {
  const data = Buffer.alloc(16 * 16 * 3, 40);
  for (let p = 0; p < 256; p++) for (const c of colours) data[3 * p + 2 - c] = 150 + ((7 * p + 13 * seed) % 100);
  return sharp(data, { raw: { width: 16, height: 16, channels: 3 } });
}
