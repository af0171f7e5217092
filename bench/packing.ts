/**
 * Speed of packing images, and of preparing batches from the pack: photos of 500×375, cropped from one photo at different positions, with noise; fit
 * crop, 224 from 256, in the random order of training.
 *
 *     node --import tsx bench/packing.ts [--images N] [--threads N]
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import type { ImageListing } from "../src/dataset/folder/imageListing.ts";
import { type Packed, packListing } from "../src/dataset/pack/pack.ts";
import { batches } from "../src/dataset/prepare/batches.ts";
import { createPreparation } from "../src/dataset/prepare/preparation.ts";
import type { Fitting } from "../src/image/prepare/fitter.ts";
import { permutation, randomStream } from "../src/random.ts";

const BATCH = 128;
const WARM_UP = 3;
const [WIDTH, HEIGHT] = [500, 375];
const fitting: Fitting = { size: [224, 224], channels: 3, fit: { kind: "crop", shorterSide: 256 }, resize: "bilinear" };

const { values: flags } = parseArgs({
  options: {
    images: { type: "string", default: "2000" },
    threads: { type: "string", default: String(availableParallelism()) },
  },
});
const [count, threads] = [Number(flags.images), Number(flags.threads)];

const folder = await mkdtemp(join(tmpdir(), "alexnet-packing-"));
try {
  const listing = await makePhotos(join(folder, "photos"));
  const options = { fitting, cacheDir: join(folder, "cache"), threads };
  const packed = await measurePacking("packing", () => packListing(listing, options));
  await packed.close();
  const again = await measurePacking("again, nothing to do", () => packListing(listing, options));
  await measureBatches(again);
  await again.close();
} finally {
  await rm(folder, { recursive: true });
}

async function makePhotos(root: string): Promise<ImageListing> {
  await mkdir(root);
  const photo = await sharp("test/golden/raccoon.jpg").resize(1000).toBuffer({ resolveWithObject: true });
  const { width, height } = photo.info;
  const noise = await sharp({
    create: {
      width: WIDTH,
      height: HEIGHT,
      channels: 3,
      background: "grey",
      noise: { type: "gaussian", mean: 128, sigma: 12 },
    },
  })
    .png()
    .toBuffer();
  const places = randomStream(1, "bench/packing");
  const lefts = permutation(places, 0, width - WIDTH);
  const tops = permutation(places, 1, height - HEIGHT);
  const train = Array.from({ length: count }, (_, i) => ({ path: `${i}.jpg`, label: i % 10 }));
  for (const [i, { path }] of train.entries()) {
    const [left, top] = [lefts[i % lefts.length] as number, tops[i % tops.length] as number];
    await sharp(photo.data)
      .extract({ left, top, width: WIDTH, height: HEIGHT })
      .composite([{ input: noise, blend: "overlay" }])
      .jpeg({ quality: 90 })
      .toFile(join(root, path));
  }
  return { name: root, root, classNames: [...Array(10).keys()].map(String), train, test: [], notes: [] };
}

async function measurePacking(what: string, pack: () => Promise<Packed>): Promise<Packed> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const packed = await pack();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const use = (user + system) / 1e6 / seconds / availableParallelism();
  const rate = Math.round(count / seconds);
  console.log(
    `${what}: ${rate} images/s, ${seconds.toFixed(2)} s on ${threads} threads, ${(100 * use).toFixed(0)} % of all cores`,
  );
  return packed;
}

async function measureBatches({ train: split }: Packed): Promise<void> {
  const preprocessing = { ...fitting, mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25] };
  const preparation = createPreparation({ preprocessing });
  const times: Record<"read ahead" | "read when asked for", number[]> = { "read ahead": [], "read when asked for": [] };
  const { prefetch: _, ...direct } = split;
  const order = permutation(randomStream(1, "shuffle"), 0, split.length);
  for (const [what, from] of [
    ["read ahead", split],
    ["read when asked for", direct],
  ] as const) {
    let start = performance.now();
    for await (const batch of batches({ split: from, preparation, batchSize: BATCH, order })) {
      if (batch.count === BATCH) times[what].push(performance.now() - start);
      // Gives reads the time that a step of the engine would.
      await new Promise((resolve) => setTimeout(resolve, 100));
      start = performance.now();
    }
    const sorted = times[what].slice(WARM_UP).toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1] as number;
    console.log(`batch of ${BATCH}, ${what}: ${median.toFixed(1)} ms, ${Math.round((1000 * BATCH) / median)} images/s`);
  }
}
