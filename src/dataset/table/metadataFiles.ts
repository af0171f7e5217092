/** Tables of labels in Hugging Face's layout `imagefolder`. Source: Hugging Face Datasets, “Create an image dataset”, ImageFolder. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { partOf } from "../folder/partFolders.ts";

const names: ReadonlySet<string> = new Set(["metadata.csv", "metadata.jsonl"]);

/** Files `metadata.csv` and `metadata.jsonl` in a folder or in its folders for parts, relative to it. */
export async function findMetadata(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const own = entries.flatMap(({ name }) => (names.has(name) ? [name] : []));
  if (own.length > 0) return own.slice(0, 1);
  const folders = entries.flatMap(({ name }) => (partOf(name) === undefined ? [] : [name])).sort();
  const inside = await Promise.all(
    folders.map(async (folder) => {
      const found = (await readdir(join(root, folder)).catch(() => [])).filter((name) => names.has(name)).sort();
      return found.slice(0, 1).map((name) => `${folder}/${name}`);
    }),
  );
  return inside.flat();
}
