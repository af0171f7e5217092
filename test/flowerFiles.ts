/** TensorFlow's flower photos in miniature: as a folder and as an archive. The pictures are noise: nothing opens them. */
import { gzipSync } from "node:zlib";
import { fillWords, randomStream } from "../src/random.ts";
import { type TarEntry, tarArchive } from "./cifar10Files.ts";

/** So many pictures of each class. */
export const flowerCounts = { daisy: 6, dandelion: 9, roses: 1, sunflowers: 2, tulips: 8 };

/** The pictures by their paths within the data set. */
export function flowerFiles(bytesEach = 4000): ReadonlyMap<string, Buffer> {
  const files = Object.entries(flowerCounts).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, i) => {
      const words = new Uint32Array(bytesEach / 4);
      fillWords(randomStream(i, name), 0, words);
      return [`${name}/${100 + i}_${name.length}a_n.jpg`, Buffer.from(words.buffer)] as const;
    }),
  );
  return new Map(files);
}

/** The published archive in miniature, with further entries at its end. */
export function flowerArchive(files: ReadonlyMap<string, Buffer>, ...further: readonly TarEntry[]): Buffer {
  const pictures = [...files].map(([name, bytes]) => ({ name: `flower_photos/${name}`, bytes }));
  const license = { name: "flower_photos/LICENSE.txt", bytes: Buffer.from("CC-BY\n") };
  return gzipSync(tarArchive([{ name: "flower_photos/", type: "5" }, license, ...pictures, ...further]));
}
