/**
 * Images per second, and CPU time of an image, of evaluating a folder of 500×375 JPEG files, relative to PyTorch with torchvision's ImageFolder and a DataLoader:
 *
 *     node --import tsx bench/folders.ts [--network alexnet-owt] [--images 400] [--rounds 3] [--threads 2]
 *
 * Whole processes take turns, on n and on 3n images; the difference of the two times is that of 2n images, without the start. On a busy machine, only
 * the CPU time is comparable, with waiting threads that sleep: OMP_WAIT_POLICY=passive. Both load the same weights, compute in f32,
 * resize to the network's input, and must agree on the class of nearly all images.
 */
import { spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
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
import type { Workload } from "./peers/workload.ts";
import { openFolder, writeWorkload } from "./peers/workloadFolder.ts";

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
async function writeModel(file: string, { chain, readParameters }: Workload, network: Network): Promise<void> {
  const [, height, width] = network.input;
  const names = tensorNames(network);
  const tensors = chain.ops.flatMap(({ parameters }) =>
    parameters.map(({ name, shape }) => ({ name: names.get(name) as string, shape })),
  );
  const values = readParameters();
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
  await writeSafetensors(file, metadata, {
    tensors,
    read: async () => (await values.next()).value?.values as Float32Array,
  });
}

/** Time of a process, and CPU time of it and its children, in seconds. */
interface Times {
  readonly wall: number;
  readonly cpu: number;
}

/** Runs the arguments as a command, and writes its CPU times, of user and system, to descriptor 3. */
const TIMER = 'TIMEFORMAT="%U %S"; { time "$@" 2>&4; } 4>&2 2>&3';

/** Runs a process to its end. Returns its times and its output. */
function timed(command: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly [times: Times, output: string]> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const args = ["-c", TIMER, "bash", ...command];
    const child = spawn("bash", args, { env, stdio: ["ignore", "pipe", "inherit", "pipe"] });
    const [output, cpu] = [child.stdio[1], child.stdio[3]].map((stream) => {
      const chunks: Buffer[] = [];
      (stream as Readable).on("data", (chunk: Buffer) => chunks.push(chunk));
      return () => Buffer.concat(chunks).toString();
    }) as [() => string, () => string];
    child.once("error", reject);
    child.once("close", (code) => {
      const wall = (performance.now() - start) / 1000;
      const seconds = cpu().trim().split(" ").map(Number);
      if (code === 0) resolve([{ wall, cpu: seconds.reduce((a, b) => a + b) }, output()]);
      else reject(new Error(`${command[0]}: exit code ${code}`));
    });
  });
}

/** A program: evaluates an image folder, and returns its times and the class of each image by file name. */
type Contestant = (images: string) => Promise<readonly [times: Times, classes: ReadonlyMap<string, string>]>;

function own(folder: string, model: string): Contestant {
  const cli = fileURLToPath(new URL("../bin/alexnet.js", import.meta.url));
  return async (images) => {
    const csv = join(folder, "predictions.csv");
    const cache = await mkdtemp(join(folder, "cache-"));
    const args = ["evaluate", model, "--dataset", images, "--csv", csv, "--threads", String(threads)];
    const [times] = await timed([process.execPath, cli, ...args], { ...process.env, XDG_CACHE_HOME: cache });
    await rm(cache, { recursive: true });
    return [times, predictionsOf(await readFile(csv, "utf8"), images)];
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
    const [times, output] = await timed(command, { ...process.env, OMP_NUM_THREADS: String(threads) });
    return [times, new Map((JSON.parse(output) as [string, number][]).map(([name, of]) => [name, `${of}`]))];
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
  await writeModel(model, await openFolder(folder), network);
  const contestants = { alexnet: own(folder, model), PyTorch: torchContestant(torch, folder, network.input[1]) };
  const rates: Record<keyof typeof contestants, number[]> = { alexnet: [], PyTorch: [] };
  const cpuTimes: Record<keyof typeof contestants, number[]> = { alexnet: [], PyTorch: [] };
  for (let round = 0; round < rounds; round++) {
    const classes: ReadonlyMap<string, string>[] = [];
    for (const name of ["alexnet", "PyTorch"] as const) {
      const [short] = await contestants[name](small);
      const [long, found] = await contestants[name](large);
      rates[name].push((2 * count) / (long.wall - short.wall));
      cpuTimes[name].push((1000 * (long.cpu - short.cpu)) / (2 * count));
      classes.push(found);
      console.error(`round ${round + 1}, ${name}: ${short.wall.toFixed(1)} s and ${long.wall.toFixed(1)} s`);
    }
    const [ours, theirs] = classes as [ReadonlyMap<string, string>, ReadonlyMap<string, string>];
    const agreeing = [...theirs].filter(([image, of]) => ours.get(image) === of).length / theirs.size;
    if (agreeing < LEAST_AGREEMENT)
      throw new Error(`both agree on ${(100 * agreeing).toFixed(1)} % of the images only`);
  }
  const ratios = rates.alexnet.map((rate, i) => rate / (rates.PyTorch[i] as number));
  const { median, min, max } = spread(ratios);
  for (const name of ["alexnet", "PyTorch"] as const) {
    const [rate, cpu] = [spread(rates[name]).median, spread(cpuTimes[name]).median];
    console.log(`${name}: ${rate.toFixed(0)} images/s, ${cpu.toFixed(1)} ms of CPU time per image`);
  }
  console.log(
    `${network.name}, ${threads} threads, JPEG files of ${(meanBytes / 1024).toFixed(0)} KiB: ` +
      `${median.toFixed(2)} × PyTorch ${torch.version} (rounds ${min.toFixed(2)}–${max.toFixed(2)})`,
  );
} finally {
  await rm(folder, { recursive: true });
}
