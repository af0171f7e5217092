/**
 * Computes the statistics in a data set's source file from the data set, and optionally draws one image per class:
 * `node --import tsx scripts/datasetStatistics.ts NAME [FOLDER] [SHEET.png]`.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { Dataset, Split } from "../src/dataset/dataset.ts";
import { findDataset } from "../src/dataset/sources/datasets.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { Image } from "../src/image/image.ts";
import { pixelStatistics } from "../test/pixelStatistics.ts";

/** First test image of each class, in a row. */
function contactSheet({ test, classNames, channels }: Dataset): Image {
  const images = classNames.map((_, label) => {
    let index = 0;
    while (test.label(index) !== label) index++;
    return test.image(index);
  });
  const { width = 0, height = 0 } = images[0] ?? {};
  const data = new Uint8Array(images.length * width * height * channels);
  const rowBytes = width * channels;
  for (const [i, image] of images.entries()) {
    for (let y = 0; y < height; y++) {
      data.set(image.data.subarray(y * rowBytes, (y + 1) * rowBytes), (y * images.length + i) * rowBytes);
    }
  }
  return { width: images.length * width, height, channels, data };
}

/** Checksum of all labels and pixels; equal for two sources with the same content. */
function checksum(split: Split): string {
  const hash = createHash("md5");
  for (let i = 0; i < split.length; i++) hash.update(Uint8Array.of(split.label(i))).update(split.image(i).data);
  return hash.digest("hex");
}

const [name = "fashion-mnist", dataDir, sheet] = process.argv.slice(2);
const dataset = await (await findDataset(name)).load({ dataDir, download: false });
const { train, test, channels, classNames, source } = dataset;
console.log(`${name} in ${source}`);
for (const [part, split] of Object.entries({ train, test })) {
  const { mean, deviation, counts } = pixelStatistics(split, channels, classNames.length);
  console.log(`${part}: ${split.length} images, MD5 ${checksum(split)}`);
  console.log(`  classes ${counts.join(" ")}\n  mean ${mean.join(" ")}\n  deviation ${deviation.join(" ")}`);
}
if (sheet !== undefined) await writeFile(sheet, await encodePng(contactSheet(dataset)));
