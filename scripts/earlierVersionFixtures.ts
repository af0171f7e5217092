/**
 * Creates test/earlierVersions/VERSION/: runs, exports and a sweep of the current version, and the figures that later versions must reproduce.
 * `node --import tsx scripts/earlierVersionFixtures.ts [VERSION]`; default: the version in package.json. Except for times, the files are a function
 * of seeds.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodePng } from "../src/image/files/decode.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { steps } from "../test/earlierVersionFigures.ts";
import { filesBelow, restoreVersion, withoutFolder, writeDataset } from "../test/earlierVersionFiles.ts";
import { makeRun, runNames, writeExports, writeInputs } from "../test/earlierVersionRuns.ts";
import { root } from "../test/sourceFiles.ts";

/** Images per class: enough for training, validation and incomplete batches. */
const imagesPerClass = 12;
const colours = { blue: [40, 60, 220], green: [50, 200, 60], red: [220, 40, 50] } as const;

const version = process.argv[2] ?? JSON.parse(await readFile(join(root, "package.json"), "utf8")).version;
const stored = join(root, "test/earlierVersions", version);
if (existsSync(stored)) throw new Error(`${stored}: already exists; the files of a version must not change`);
const folder = await realpath(await mkdtemp(join(tmpdir(), "alexnet-fixtures-")));
process.env["XDG_CACHE_HOME"] = join(folder, "cache");
try {
  await makeFiles(join(folder, "made"));
  await store(join(folder, "made"));
  await restoreVersion(stored, join(folder, "restored"));
  const figures: Record<string, unknown> = {};
  for (const { name, measure } of steps) figures[name] = await measure(join(folder, "restored"));
  await writeFile(join(stored, "figures.json"), `${JSON.stringify(figures)}\n`.replaceAll('},"', '},\n"'));
} finally {
  await rm(folder, { recursive: true });
}

async function makeFiles(made: string): Promise<void> {
  await writeDataset(made);
  await writePhotos(join(made, "photos"));
  await writeInputs(made);
  for (const name of runNames) {
    await makeRun(name, made);
    if (name === "first") await writeExports(made);
  }
  await cp(join(made, "stopped"), join(made, "older"), { recursive: true });
  await makeOlder(join(made, "older"));
}

/** Noisy images of one colour, as PNG. */
async function writePhotos(photos: string): Promise<void> {
  for (const [name, colour] of Object.entries(colours)) {
    await mkdir(join(photos, name), { recursive: true });
    for (let number = 0; number < imagesPerClass; number++) {
      const [width, height] = [22 + ((number * 7) % 9), 22 + ((number * 5) % 9)];
      const words = new Uint32Array(width * height * 3);
      fillWords(randomStream(number, name), 0, words);
      const data = Uint8Array.from(words, (word, i) => (colour[i % 3] as number) + (word >>> 30) * 8);
      await writeFile(join(photos, name, `${number}.png`), await encodePng({ width, height, channels: 3, data }));
    }
  }
}

/**
 * Copies only the files that later versions need: no drawings, which reports recreate, no second checkpoint, and of a finished trial only its best.
 */
async function store(made: string): Promise<void> {
  for (const name of await filesBelow(made)) {
    const isKept = /\.(jsonl?|safetensors|pth|onnx)$/.test(name) || name.startsWith("photos/");
    const isSecond = name.includes("/previous.") || name.startsWith("sweep/trial-001/last.");
    if (!isKept || isSecond) continue;
    const target = join(stored, name);
    await mkdir(dirname(target), { recursive: true });
    const bytes = await readFile(join(made, name));
    await writeFile(target, /\.jsonl?$/.test(name) ? withoutFolder(bytes.toString(), made) : bytes);
  }
}

/** Removes fields that early files of 0.1 lacked, and those optional in a hand-written recipe. */
async function makeOlder(run: string): Promise<void> {
  const file = join(run, "config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  const { divergence: _d, exact: _e, ...rest } = config;
  const { name, epochs, batchSize, learningRate, optimizer, initializer, normalization } = config.recipe;
  const { watched: _w, ...dataset } = config.dataset;
  const older = {
    ...rest,
    dataset,
    network: sparseNetwork(config.network),
    recipe: {
      ...{ name, epochs, batchSize, learningRate, normalization },
      optimizer: { momentum: optimizer.momentum, weightDecay: optimizer.weightDecay },
      initializer: { weight: initializer.weight },
    },
    preprocessing: withoutFit(config.preprocessing),
  };
  await writeFile(file, `${JSON.stringify(older, undefined, 2)}\n`);
  const checksums = new Map<string, string>();
  for (const weights of ["best", "last"]) {
    const checksum = await rewriteMetadata(join(run, `${weights}.safetensors`), ({ exact: _exact, ...metadata }) => ({
      ...metadata,
      network: JSON.stringify(sparseNetwork(JSON.parse(metadata["network"] as string))),
      preprocessing: JSON.stringify(withoutFit(JSON.parse(metadata["preprocessing"] as string))),
    }));
    checksums.set(weights, checksum);
  }
  await rewriteMetadata(join(run, "last.optimizer.safetensors"), (metadata) => {
    const {
      steps: _s,
      sinceStep: _b,
      earlyStopping: _stop,
      rollbacks: _r,
      ...position
    } = JSON.parse(metadata["position"] as string);
    return { ...metadata, weights: checksums.get("last") as string, position: JSON.stringify(position) };
  });
}

function withoutFit({ fit: _fit, ...rest }: Readonly<Record<string, unknown>>): object {
  return rest;
}

/** A network without options that have their default value. */
function sparseNetwork({ name, input, layers }: Readonly<Record<string, unknown>>): object {
  const defaults = { padding: 0, groups: 1, activeAtEvaluation: false, size: 5, alpha: 1e-4, beta: 0.75 };
  const isDefault = ([key, value]: [string, unknown]) =>
    Object.entries(defaults).some(([k, v]) => k === key && v === value);
  const sparse = (layer: object) => Object.fromEntries(Object.entries(layer).filter((entry) => !isDefault(entry)));
  return { name, input, layers: (layers as readonly object[]).map(sparse) };
}

type Metadata = Readonly<Record<string, string>>;

/** Rewrites the metadata of a safetensors file of this program. Returns the new checksum: SHA-256 with its own digits as zeros. */
async function rewriteMetadata(file: string, change: (metadata: Metadata) => Metadata): Promise<string> {
  const bytes = await readFile(file);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString("utf8", 8, end));
  const { alexnetSha256, ...changed } = change(metadata);
  if (alexnetSha256 === undefined)
    throw new Error(`${file}: expected a checksum in its metadata, got ${JSON.stringify(metadata)}`);
  const header = JSON.stringify({ __metadata__: { alexnetSha256: "0".repeat(64), ...changed }, ...tensors });
  const padded = Buffer.from(
    header.padEnd(Math.ceil(Buffer.byteLength(header) / 8) * 8 + header.length - Buffer.byteLength(header)),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const zeroed = Buffer.concat([length, padded, bytes.subarray(end)]);
  const checksum = createHash("sha256").update(zeroed).digest("hex");
  zeroed.write(checksum, zeroed.indexOf("0".repeat(64)));
  await writeFile(file, zeroed);
  return checksum;
}
