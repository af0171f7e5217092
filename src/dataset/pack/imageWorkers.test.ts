import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noise, writePicture } from "../../../test/packPictures.ts";
import { DataError } from "../../errors.ts";
import { decodeImage } from "../../image/files/decode.ts";
import type { Image } from "../../image/image.ts";
import { createFit, fitNames } from "../../image/prepare/fit.ts";
import { createFitter, type Fitting, storageKey } from "../../image/prepare/fitter.ts";
import { momentsOf } from "../../image/prepare/moments.ts";
import { createImageJobs, type ImageJob } from "./imageJob.ts";
import { createImageWorkers, type ImageResult, type ImageWorkersOptions } from "./imageWorkers.ts";

let folder: string;
const paths: string[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-workers-"));
  const sizes = [
    [60, 45],
    [13, 17],
    [24, 24],
    [90, 20],
    [1, 1],
  ] as const;
  for (const [i, [width, height]] of sizes.entries()) {
    for (const channels of [1, 3] as const) {
      paths.push(join(folder, `${i}-${channels}.png`));
      await writePicture(folder, `${i}-${channels}.png`, noise(i, width, height, channels));
    }
  }
  paths.push("test/golden/raccoon.jpg");
});
after(() => rm(folder, { recursive: true }));

async function collect(jobs: Iterable<ImageJob>, options: ImageWorkersOptions = {}): Promise<ImageResult[]> {
  const workers = createImageWorkers(options);
  const results: ImageResult[] = [];
  try {
    for await (const result of workers.run(jobs)) results.push(result);
  } finally {
    await workers.close();
  }
  return results.sort((a, b) => a.index - b.index);
}

function copy(image: Image): Image {
  return { ...image, data: image.data.slice() };
}

function fittings(): readonly Fitting[] {
  const [width, height] = [24, 24];
  return fitNames.flatMap((name) =>
    ([1, 3] as const).map(
      (channels): Fitting => ({
        size: [height, width],
        channels,
        fit: createFit(name, { width, height }),
        resize: "bilinear",
      }),
    ),
  );
}

test("without a fitting: hash, format and size of each file, and no pixels", async () => {
  const results = await collect(paths.map((path) => ({ path })));
  assert.deepEqual(
    results.map(({ index, path }) => [index, path]),
    paths.map((path, i) => [i, path]),
  );
  for (const { path, outcome } of results) {
    const image = await decodeImage(path);
    const { width, height, channels } = image;
    const sha256 = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    const format = path.endsWith("png") ? "PNG" : "JPEG";
    const source = { format, width, height, channels };
    const { pixels, ...decoded } = "decoded" in outcome ? (outcome.decoded ?? {}) : {};
    assert.match(String(pixels), /^[0-9a-f]{64}$/);
    assert.deepEqual({ ...outcome, decoded }, { sha256, decoded: { source } });
  }
});

test("for every fit, the result fits to the same as the image, is never larger, and has its moments", async () => {
  for (const fitting of fittings()) {
    const doJob = createImageJobs(fitting);
    const [fit, fitAgain] = [createFitter(fitting), createFitter(fitting)];
    for (const path of paths) {
      const outcome = await doJob({ path });
      const name = `${path}, ${JSON.stringify(fitting)}`;
      const original = await decodeImage(path);
      const fitted = copy(fit(original));
      assert.ok(outcome.decoded?.kept, name);
      const { image, moments } = outcome.decoded.kept;
      assert.deepEqual(copy(fitAgain(image)), fitted, name);
      assert.ok(image.data.length <= Math.min(original.data.length, fitted.data.length), name);
      assert.ok(image.channels <= fitting.channels, name);
      assert.deepEqual(moments, momentsOf(image), name);
    }
  }
});

test("fittings with the same result have the same key, others do not", () => {
  const [crop, larger] = [28, 32].map((shorterSide) => ({ kind: "crop", shorterSide }) as const);
  const of = (fitting: Partial<Fitting>) =>
    storageKey({ size: [24, 24], channels: 3, fit: { kind: "resize" }, resize: "bilinear", ...fitting });
  assert.equal(of({ fit: { kind: "native" } }), of({ fit: { kind: "native" }, size: [9, 9] }));
  assert.ok(crop && larger);
  assert.equal(of({ fit: crop }), of({ fit: crop, size: [20, 20] }));
  const cut = { kind: "random-resized-crop", shorterSide: 28, ratio: [1, 1] } as const;
  assert.equal(of({ fit: { ...cut, scale: [0.1, 1] } }), of({ fit: { ...cut, scale: [0.5, 1] } }));
  const different = [{}, { size: [24, 25] as const }, { size: [25, 24] as const }, { channels: 1 as const }];
  const filters = [{ resize: "bicubic" as const }, { fit: crop }, { fit: larger }, { fit: { kind: "pad" } as const }];
  const keys = [...different, ...filters].map(of);
  assert.equal(new Set(keys).size, keys.length);
});

test("errors are text, lasting only if in the content; known contents are not decoded", async () => {
  await writeFile(join(folder, "half"), (await readFile("test/golden/raccoon.jpg")).subarray(0, 5000));
  const sha256 = createHash("sha256")
    .update(await readFile("test/golden/raccoon.jpg"))
    .digest("hex");
  const jobs = [
    { path: join(folder, "half") },
    { path: join(folder, "none") },
    { path: "test/golden/raccoon.jpg", known: ["00", sha256] },
  ];
  const [half, none, known] = (await collect(jobs)).map(({ outcome }) => outcome);
  assert.match(half?.error ?? "", /^expected a complete JPEG image, got a truncated one \(5000 bytes/);
  assert.equal(half?.isLasting, true);
  assert.equal(half?.sha256?.length, 64);
  assert.deepEqual(none, {
    error: "expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF image, but there is no such file",
    isLasting: false,
  });
  assert.deepEqual(known, { sha256 });
});

test("jobs are taken only as results are used", async () => {
  let taken = 0;
  const jobs = function* () {
    for (let i = 0; i < 10_000; i++) {
      taken++;
      yield { path: paths[i % 10] as string, bytes: 50_000 };
    }
  };
  const workers = createImageWorkers({ threads: 2 });
  let used = 0;
  for await (const _ of workers.run(jobs())) {
    assert.ok(taken - used <= 60, `${taken} taken, ${used} used`);
    if (++used === 200) break;
  }
  // Another run, after an abandoned one.
  const results = [];
  for await (const { path } of workers.run(paths.map((path) => ({ path })))) results.push(path);
  assert.deepEqual(results.sort(), [...paths].sort());
  await workers.close();
});

test("an abort stops a run immediately", async () => {
  const workers = createImageWorkers({ threads: 1 });
  const controller = new AbortController();
  const jobs = Array.from({ length: 1000 }, () => ({ path: "test/golden/raccoon.jpg" }));
  const run = async () => {
    for await (const _ of workers.run(jobs, controller.signal)) controller.abort();
  };
  await assert.rejects(run(), { name: "AbortError" });
  await workers.close();
});

test("a thread that dies is an error that names its files", async () => {
  const module = new URL("../../../test/dyingImageWorker.ts", import.meta.url);
  const good = Array.from({ length: 40 }, (_, i) => ({ path: `good ${i}` }));
  assert.equal((await collect(good, { module })).length, 40);
  for (const [name, reason] of [
    ["ends", "exit code 3"],
    ["throws", "out of something"],
  ] as const) {
    await assert.rejects(collect([...good, { path: name }], { module }), (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.ok(error.message.startsWith(`decoding: a thread died (${reason}) on one of these files: `), error.message);
      assert.match(error.message, new RegExp(`${name}[,;]`));
      return true;
    });
  }
});
