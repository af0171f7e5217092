/** Pictures and listings to be packed, and what is compared of their packs. */
import { createHash } from "node:crypto";
import type { Split } from "../src/dataset/dataset.ts";
import type { ImageListing, ListedImage } from "../src/dataset/folder/imageListing.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { Image } from "../src/image/image.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { writeFiles } from "./writeFiles.ts";

/** Noise: the same for the same number and size. */
export function noise(number: number, width: number, height: number, channels: 1 | 3): Image {
  const words = new Uint32Array(2 * Math.ceil((width * height * channels) / 8));
  fillWords(randomStream(1, "pictures"), number, words);
  return { width, height, channels, data: new Uint8Array(words.buffer, 0, width * height * channels) };
}

/** Bands of two greys: quick to decode, and large. */
export function bands(number: number, width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3).fill(number % 251);
  data.fill(255 - (number % 251), 0, width * 3 * (1 + (number % height)));
  return { width, height, channels: 3, data };
}

export async function writePicture(root: string, path: string, image: Image): Promise<void> {
  await writeFiles(root, [[path, await encodePng(image)]]);
}

/** A listing in which these are for training but for every fifth, which is for testing. Labels are 0 and 1 in turn. */
export function listingOf(root: string, paths: readonly string[]): ImageListing {
  const all = paths.map((path, i): ListedImage => ({ path, label: i % 2 }));
  const isTest = (_: unknown, i: number) => i % 5 === 4;
  const train = all.filter((image, i) => !isTest(image, i));
  return { name: root, root, classNames: ["a", "b"], train, test: all.filter(isTest), notes: [] };
}

/** Of everything that splits say. */
export function digestOf(...splits: readonly Split[]): string {
  const hash = createHash("sha256");
  for (const split of splits) {
    for (let i = 0; i < split.length; i++) {
      const { width, height, channels, data } = split.image(i);
      hash.update(JSON.stringify([split.path?.(i), split.label(i), width, height, channels])).update(data);
    }
  }
  return hash.digest("hex");
}
