/** A folder of pictures that is no longer what a run was started with. */
import assert from "node:assert/strict";
import { cp, mkdtemp, rename, rm, symlink, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { flatten, linear } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { Network } from "../src/network/network.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { noise, writePicture } from "./packPictures.ts";

const network: Network = {
  name: "least",
  source: "",
  deviations: [],
  input: [3, 8, 8],
  layers: [flatten("flatten"), linear("fc1", { outFeatures: 2 })] as readonly AnyLayer[],
};
const added = ["a/05b.png", "b/05b.png"] as const;

let base: string;
let photos: string;
let run: string;
const cacheBefore = process.env["XDG_CACHE_HOME"];
before(async () => {
  base = await mkdtemp(join(tmpdir(), "alexnet-changed-"));
  process.env["XDG_CACHE_HOME"] = join(base, "cache");
  photos = join(base, "photos");
  run = join(base, "run");
  for (const [label, name] of ["a", "b"].entries()) {
    for (let i = 10; i < 30; i++) await writePicture(photos, `${name}/${i}.png`, noise(100 * label + i, 9, 8, 3));
  }
  const limits = { trainLimit: 12, testLimit: 4 };
  await trainClassifier({
    dataset: photos,
    network,
    recipe: "photos",
    epochs: 1,
    batchSize: 4,
    threads: 1,
    run,
    ...limits,
  });
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(base, { recursive: true });
});

async function evaluated(
  options: Parameters<Awaited<ReturnType<typeof openClassifier>>["evaluate"]>[0] = {},
  weights = run,
) {
  const messages: string[] = [];
  const packed: number[] = [];
  const classifier = await openClassifier(weights, { threads: 1 });
  try {
    const onMessage = (message: string) => messages.push(message);
    const evaluation = await classifier.evaluate({ ...options, onMessage, onPacking: (_, of) => packed.push(of) });
    return { images: evaluation?.images, messages, of: packed.at(-1) };
  } finally {
    classifier.close();
  }
}

test("pictures added: no resume, though limits keep their number; evaluation says so; taken away again, both are as before", async () => {
  assert.deepEqual(await evaluated(), { images: 8, messages: [], of: 20 });
  for (const [i, path] of added.entries()) await writePicture(photos, path, noise(300 + i, 9, 8, 3));
  await assert.rejects(
    trainClassifier({ run, resume: true }),
    /^ConfigError: .*photos: expected the image files that the run was started with, got others/,
  );
  assert.match((await evaluated()).messages.join("\n"), /may have been trained on some of these images/);
  for (const path of added) await rm(join(photos, path));
  assert.equal((await trainClassifier({ run, resume: true })).end, "already finished");
  assert.deepEqual((await evaluated()).messages, []);
});

test("a folder that the run does not know has no training pictures", async () => {
  const other = join(base, "other");
  await writePicture(other, "b/1.png", noise(400, 9, 8, 3));
  assert.equal((await evaluated({ dataset: other })).images, 1);
  await assert.rejects(evaluated({ dataset: other, split: "train" }), /^ConfigError: .*expected training images/);
});

test("damaged pictures to measure by: an error, unless a share of them is allowed", async () => {
  const other = join(base, "damaged");
  for (let i = 0; i < 4; i++) await writePicture(other, `a/${i}.png`, noise(500 + i, 9, 8, 3));
  await truncate(join(other, "a", "0.png"), 50);
  await assert.rejects(evaluated({ dataset: other }), /^DataError: .*--max-bad/);
  assert.equal((await evaluated({ dataset: other, maxBad: 0.25 })).images, 3);
});

test("the run's own folder through a link, or copied: divided as the run divided it", async () => {
  const [link, copy] = [join(base, "link"), join(base, "copy")];
  await symlink(photos, link);
  await cp(photos, copy, { recursive: true });
  const own = await evaluated();
  assert.deepEqual([own.images, own.messages], [8, []]);
  assert.deepEqual(await evaluated({ dataset: link }), own);
  const copied = await evaluated({ dataset: copy });
  assert.equal(copied.images, 8);
  assert.match(copied.messages.join("\n"), /^.*copy: a copy of the run's data set/);
  await rename(join(copy, "a", "10.png"), join(copy, "a", "other.png"));
  assert.deepEqual(await evaluated({ dataset: copy }), { images: 40, messages: [], of: 40 });
});

test("weights without their run: all pictures, and a word of doubt", async () => {
  const alone = join(base, "alone.safetensors");
  await cp(join(run, "best.safetensors"), alone);
  const { images, messages } = await evaluated({ dataset: photos }, alone);
  assert.equal(images, 40);
  assert.match(messages.join("\n"), /found no record of the weights' training images/);
});

test("resume: a default that is said is no change, another value is", async () => {
  const resumed = { run, resume: true, validationShare: 0.2, maxBad: 0.01 };
  assert.equal((await trainClassifier(resumed)).end, "already finished");
  await assert.rejects(
    trainClassifier({ ...resumed, validationShare: 0.3, maxBad: 0.02 }),
    /^ConfigError: resume: --validation-share is 0.3, the run was started with 0.2; --max-bad is 0.02, the run was started with 0.01;/,
  );
});
