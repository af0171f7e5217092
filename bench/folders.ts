/**
 * Images per second of evaluating a folder of 500×375 JPEG files, relative to PyTorch with torchvision's ImageFolder and a DataLoader:
 *
 *     node --import tsx bench/folders.ts [--network alexnet-owt] [--images 400] [--rounds 3] [--threads 2]
 *
 * Whole processes take turns, on n and on 3n images; the difference of the two times is that of 2n images, without the start. Both load the same
 * weights, resize to the network's input, and must agree on the class of nearly all images.
 */
import { spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { encodeModel } from "../src/checkpoint/metadata.ts";
import { writeSafetensors } from "../src/checkpoint/safetensorsWriter.ts";
import { processorShare } from "../src/engine/onednn/threads.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { classesOf, type Network } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { fillGaussian, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/spread.ts";
import { findTorch, type Torch } from "./peers/python.ts";
import { readChain, readParameters, writeWorkload } from "./peers/workload.ts";

const [WIDTH, HEIGHT] = [500, 375];
const FOLDERS = 4;
/** Size in pixels and strength of the noise that images are made of: large shapes, details, grain. */
const NOISE = [
  [96, 45],
  [24, 22],
  [6, 12],
  [1, 4],
] as const;
const QUALITY = 90;
const BATCH_SIZE = 128;
/** Smallest fraction of images on which both programs agree: resizing and arithmetic round differently. */
const LEAST_AGREEMENT = 0.98;

const { values: flags } = parseArgs({
  options: {
    network: { type: "string", default: "alexnet-owt" },
    images: { type: "string", default: "400" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: String(processorShare().threads) },
  },
});
const [count, rounds, threads] = [Number(flags.images), Number(flags.rounds), Number(flags.threads)];

/** Writes a JPEG image of coloured noise at several scales, whose size per pixel is that of a photograph. */
async function writeImage(file: string, seed: number): Promise<number> {
  const sum = new Float32Array(WIDTH * HEIGHT * 3).fill(128);
  for (const [size, strength] of NOISE) {
    const [width, height] = [Math.ceil(WIDTH / size), Math.ceil(HEIGHT / size)];
    const noise = new Float32Array(width * height * 3);
    fillGaussian(randomStream(seed, `${size}`), 0, noise, strength);
    const bytes = Uint8Array.from(noise, (value) => value + 128);
    const raw = { width, height, channels: 3 } as const;
    const large = await sharp(bytes, { raw }).resize(WIDTH, HEIGHT, { fit: "fill" }).raw().toBuffer();
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (large[i] as number) - 128;
  }
  const pixels = Uint8Array.from(sum, (value) => Math.min(255, Math.max(0, value)));
  const jpeg = sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).jpeg({ quality: QUALITY });
  return (await jpeg.toFile(file)).size;
}

/** Writes n images to class folders, and three times as many to another. Returns their mean size in bytes. */
async function writeFolders(small: string, large: string): Promise<number> {
  let bytes = 0;
  for (const folder of [small, large]) {
    for (let i = 0; i < FOLDERS; i++) await mkdir(join(folder, `${i}`), { recursive: true });
  }
  for (let i = 0; i < 3 * count; i++) {
    const name = join(`${i % FOLDERS}`, `${i}.jpg`);
    bytes += await writeImage(join(large, name), i);
    if (i < count) await cp(join(large, name), join(small, name));
  }
  return bytes / (3 * count);
}

/** Writes the workload's parameters as a weights file that `evaluate` takes. */
async function writeModel(file: string, workload: string, network: Network): Promise<void> {
  const [, height, width] = network.input;
  const names = tensorNames(network);
  const chain = readChain(workload);
  const tensors = chain.ops.flatMap(({ parameters }) =>
    parameters.map(({ name, shape }) => ({ name: names.get(name) as string, shape })),
  );
  const values = readParameters(workload, chain, (length) => new Float32Array(length));
  const metadata = encodeModel(
    {
      network,
      classNames: Array.from({ length: classesOf(network) }, (_, i) => `${i}`),
      preprocessing: {
        size: [height, width],
        channels: 3,
        fit: { kind: "resize" },
        resize: "bilinear",
        mean: [0.5, 0.5, 0.5],
        deviation: [0.5, 0.5, 0.5],
      },
      metrics: {},
      precision: "f32",
      exact: false,
    },
    0,
  );
  await writeSafetensors(file, metadata, { tensors, read: async () => values.next().value?.values as Float32Array });
}

/** Runs a process to its end. Returns its time in seconds and its output. */
function timed(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly [seconds: number, output: string]> {
  const [program = "", ...args] = command;
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve([(performance.now() - start) / 1000, output]);
      else reject(new Error(`${program}: exit code ${code}`));
    });
  });
}

/** A program: evaluates an image folder, and returns its time and the class of each image by file name. */
type Contestant = (images: string) => Promise<readonly [seconds: number, classes: ReadonlyMap<string, string>]>;

function own(folder: string, model: string): Contestant {
  const cli = fileURLToPath(new URL("../bin/alexnet.js", import.meta.url));
  return async (images) => {
    const csv = join(folder, "predictions.csv");
    const cache = await mkdtemp(join(folder, "cache-"));
    const args = ["evaluate", model, "--dataset", images, "--csv", csv, "--threads", String(threads)];
    const [seconds] = await timed([process.execPath, cli, ...args], { ...process.env, XDG_CACHE_HOME: cache });
    await rm(cache, { recursive: true });
    return [seconds, predictionsOf(await readFile(csv, "utf8"), images)];
  };
}

/** The most probable class by file name. */
function predictionsOf(csv: string, images: string): ReadonlyMap<string, string> {
  const [headings = "", ...lines] = csv.trim().split("\n");
  const columns = headings.split(",");
  const [image, predicted] = [columns.indexOf("file"), columns.indexOf("predicted")];
  const rows = lines.map((line) => line.split(","));
  return new Map(rows.map((row) => [(row[image] ?? "").replace(`${images}/`, ""), row[predicted] ?? ""]));
}

function torchContestant(torch: Torch, folder: string, size: number): Contestant {
  for (const name of ["torch_worker.py", "folder_worker.py"]) {
    copyFileSync(fileURLToPath(new URL(`peers/${name}`, import.meta.url)), join(folder, name));
  }
  const inside = torch.folderInside(folder);
  return async (images) => {
    const request = { folder: inside, images: images.replace(folder, inside), size, threads, batchSize: BATCH_SIZE };
    const command = [...torch.command(folder, "tuned"), join(inside, "folder_worker.py"), JSON.stringify(request)];
    const [seconds, output] = await timed(command, { ...process.env, OMP_NUM_THREADS: String(threads) });
    return [seconds, new Map((JSON.parse(output) as [string, number][]).map(([name, of]) => [name, `${of}`]))];
  };
}

const folder = await mkdtemp(join(tmpdir(), "alexnet-folders-"));
try {
  const network = findNetwork(flags.network);
  const torch = await findTorch(console.error);
  const [small, large, model] = [join(folder, "small"), join(folder, "large"), join(folder, "model.safetensors")];
  console.error(`making ${3 * count} images of ${WIDTH}×${HEIGHT}`);
  const meanBytes = await writeFolders(small, large);
  await writeWorkload(folder, network, BATCH_SIZE);
  await writeModel(model, folder, network);
  const contestants = { alexnet: own(folder, model), PyTorch: torchContestant(torch, folder, network.input[1]) };
  const rates: Record<keyof typeof contestants, number[]> = { alexnet: [], PyTorch: [] };
  for (let round = 0; round < rounds; round++) {
    const classes: ReadonlyMap<string, string>[] = [];
    for (const name of ["alexnet", "PyTorch"] as const) {
      const [short] = await contestants[name](small);
      const [long, found] = await contestants[name](large);
      rates[name].push((2 * count) / (long - short));
      classes.push(found);
      console.error(`round ${round + 1}, ${name}: ${short.toFixed(1)} s and ${long.toFixed(1)} s`);
    }
    const [ours, theirs] = classes as [ReadonlyMap<string, string>, ReadonlyMap<string, string>];
    const agreeing = [...theirs].filter(([image, of]) => ours.get(image) === of).length / theirs.size;
    if (agreeing < LEAST_AGREEMENT)
      throw new Error(`both agree on ${(100 * agreeing).toFixed(1)} % of the images only`);
  }
  const ratios = rates.alexnet.map((rate, i) => rate / (rates.PyTorch[i] as number));
  const { median, min, max } = spread(ratios);
  for (const [name, list] of Object.entries(rates)) console.log(`${name}: ${spread(list).median.toFixed(0)} images/s`);
  console.log(
    `${network.name}, ${threads} threads, JPEG files of ${(meanBytes / 1024).toFixed(0)} KiB: ` +
      `${median.toFixed(2)} × PyTorch ${torch.version} (rounds ${min.toFixed(2)}–${max.toFixed(2)})`,
  );
} finally {
  await rm(folder, { recursive: true });
}
