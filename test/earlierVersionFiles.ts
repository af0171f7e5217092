/** Files of earlier versions: stored without the path they were made at, read as plain data, compared key by key. */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeTinyDataset } from "./tinyRuns.ts";

/** Stored in place of the folder that the runs were made in: config.json and sweep.json contain absolute paths. */
const madeAt = "/made-at";
const textFile = /\.jsonl?$/;

/** Text with a folder's path replaced by a placeholder that does not depend on the machine. */
export function withoutFolder(text: string, folder: string): string {
  return text.replaceAll(folder, madeAt);
}

/** Copies stored files to a folder, replaces the placeholder by its path, and writes the tiny data set to `data/`. */
export async function restoreVersion(stored: string, folder: string): Promise<void> {
  await cp(stored, folder, { recursive: true });
  for (const name of await filesBelow(folder)) {
    if (!textFile.test(name)) continue;
    const path = join(folder, name);
    await writeFile(path, (await readFile(path, "utf8")).replaceAll(madeAt, folder));
  }
  await writeDataset(folder);
}

/** The tiny data set of `tinyRuns.ts`, in `data/`. */
export async function writeDataset(folder: string): Promise<void> {
  await mkdir(join(folder, "data"), { recursive: true });
  await writeTinyDataset(join(folder, "data"), { train: 200, test: 40 });
}

/** Every file below a folder, sorted, with slashes. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** The values of a safetensors file of f32 as their norm and SHA-256; of the newest of a run, metadata (JSON in it parsed) and shapes too. */
async function describeWeights(file: string): Promise<unknown> {
  const bytes = await readFile(file);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...tensors } = JSON.parse(bytes.toString("utf8", 8, end));
  const values = Float64Array.from(new Float32Array(Uint8Array.from(bytes.subarray(end)).buffer));
  const texts: readonly [string, string][] = Object.entries(metadata);
  const digest = {
    norm: Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)),
    sha256: createHash("sha256").update(bytes.subarray(end)).digest("hex"),
  };
  if (!basename(file).startsWith("last.")) return digest;
  return {
    ...digest,
    metadata: Object.fromEntries(texts.map(([key, text]) => [key, /^[[{]/.test(text) ? JSON.parse(text) : text])),
    tensors,
  };
}

/** Every file of a run or sweep directory: JSON and weights by their content, others by their name. */
export async function describeDirectory(directory: string, folder: string): Promise<Readonly<Record<string, unknown>>> {
  const names = await filesBelow(directory);
  const contents = names.map(async (name): Promise<[string, unknown]> => {
    const path = join(directory, name);
    if (name.endsWith(".safetensors")) return [name, await describeWeights(path)];
    if (!textFile.test(name)) return [name, "present"];
    const text = withoutFolder(await readFile(path, "utf8"), folder);
    return [name, name.endsWith("l") ? parseLines(text) : JSON.parse(text)];
  });
  return Object.fromEntries(await Promise.all(contents));
}

/** JSON, one value per line. */
export function parseLines(text: string): readonly unknown[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line));
}

/**
 * How figures are compared. `exact`: numbers and texts are the same, for the reference engine, whose arithmetic is that of ECMAScript. `close`:
 * numbers within a tolerance, for oneDNN. `types`: types of values only.
 */
export type Comparison = "exact" | "close" | "types";

/** Depends on the clock, the machine, the version, or the length of a header, which may gain keys. Only the type is compared. */
const changing = new Set(
  (
    "seconds examplesPerSecond started command alexnet node system cpu device version description bytes f32Bytes alexnetSha256 " +
    "weights checksum data_offsets trainingMemory"
  ).split(" "),
);

/** Depends on every bit. */
const digests = new Set(["sha256"]);

/**
 * Bound on |now − then| / max(1, |then|) for figures of oneDNN in f32. Other processors and versions of it round in another order. The reference
 * engine, which sums in f64, differs from it by 1.0e-6 at most in all figures of the same runs; this is 20 times that. Accuracies are multiples of
 * 1 / 200 or more: they must be the same.
 */
const tolerance = 2e-5;

/** Differences from earlier figures, one text each: keys that are gone, values that changed. New keys are none. */
export function differences(then: unknown, now: unknown, comparison: Comparison, place = ""): readonly string[] {
  if (Array.isArray(then) && Array.isArray(now)) return differencesOfLists(then, now, comparison, place);
  if (isObject(then) && isObject(now)) {
    return Object.entries(then).flatMap(([key, value]) => {
      const inside = place === "" ? key : `${place}.${key}`;
      if (!Object.hasOwn(now, key)) return [`${inside}: gone`];
      const depends = changing.has(key) || (comparison === "close" && digests.has(key));
      return differences(value, now[key], depends ? "types" : comparison, inside);
    });
  }
  const [expected, actual] = [then, now].map((value) => (comparison === "types" ? typeOf(value) : value));
  if (Object.is(expected, actual)) return [];
  if (comparison === "close" && isClose(then, now)) return [];
  return [`${place}: ${JSON.stringify(expected)} then, ${JSON.stringify(actual)} now`];
}

function differencesOfLists(
  then: readonly unknown[],
  now: readonly unknown[],
  comparison: Comparison,
  place: string,
): readonly string[] {
  if (comparison !== "types" && then.length !== now.length)
    return [`${place}: ${then.length} entries then, ${now.length} now`];
  const common = then.slice(0, now.length);
  return common.flatMap((value, i) => differences(value, now[i], comparison, `${place}[${i}]`));
}

function isClose(then: unknown, now: unknown): boolean {
  if (typeof then !== "number" || typeof now !== "number") return false;
  return Math.abs(now - then) <= tolerance * Math.max(1, Math.abs(then));
}

/** The keys of JSON without its values, of a list those of its first entry: for what depends on the machine. */
export function keysOf(json: unknown): unknown {
  if (Array.isArray(json)) return json.slice(0, 1).map(keysOf);
  if (!isObject(json)) return null;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, keysOf(value)]));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value;
}
