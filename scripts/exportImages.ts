/**
 * Exports a named data set as PNG files in class folders under train/ and test/, for testing folder features on real images.
 * `node --import tsx scripts/exportImages.ts NAME FOLDER [--data-dir DIR] [--train N] [--test N]`
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Split } from "../src/dataset/dataset.ts";
import { findDataset } from "../src/dataset/sources/datasets.ts";
import { encodePng } from "../src/image/files/decode.ts";

const AT_A_TIME = 64;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "data-dir": { type: "string" }, train: { type: "string" }, test: { type: "string" } },
});
const [name, folder] = positionals;
if (name === undefined || folder === undefined) throw new Error("expected NAME and FOLDER");
const source = await findDataset(name);
const { train, test, classNames } = await source.load({ dataDir: values["data-dir"], download: false });
await exportSplit("train", train, Number(values.train ?? train.length));
await exportSplit("test", test, Number(values.test ?? test.length));

async function exportSplit(part: string, split: Split, limit: number): Promise<void> {
  for (const className of classNames) await mkdir(pathOf(part, className), { recursive: true });
  for (let first = 0; first < limit; first += AT_A_TIME) {
    const indices = Array.from({ length: Math.min(AT_A_TIME, limit - first) }, (_, i) => first + i);
    await Promise.all(indices.map((index) => exportImage(part, split, index)));
  }
  console.log(`${part}: ${limit} images`);
}

async function exportImage(part: string, split: Split, index: number): Promise<void> {
  const { data, ...image } = split.image(index);
  const png = await encodePng({ ...image, data: data.slice() });
  await writeFile(pathOf(part, classNames[split.label(index)] ?? "", `${String(index).padStart(5, "0")}.png`), png);
}

/** Class names such as `T-shirt/top` contain characters that paths cannot. */
function pathOf(part: string, className: string, ...rest: readonly string[]): string {
  return join(folder ?? "", part, className.replaceAll(/[\\/]/g, "-"), ...rest);
}
