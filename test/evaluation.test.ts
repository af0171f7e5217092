/** `alexnet evaluate` on photos: ten views, several runs as one, predictions as CSV. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import type { Evaluation } from "../src/training/evaluation/metrics.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { noise, writePicture } from "./packPictures.ts";
import { tinyNetwork } from "./tinyRuns.ts";

let folder: string;
let bin: string;
const classNames = ["cats, small", 'the "dogs"', "birds"];
const env = () => ({ XDG_CACHE_HOME: join(folder, "cache") });

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-evaluation-"));
  for (const [c, name] of classNames.entries())
    for (let i = 0; i < 15; i++)
      await writePicture(join(folder, "photos"), `${name}/${i}.png`, noise(15 * c + i, 30 + i, 45 - 2 * c, 3));
  for (let i = 0; i < 10; i++)
    await writePicture(join(folder, "others"), `${i < 5 ? "fish" : "birds"}/${i}.png`, noise(100 + i, 30, 30, 3));
  const cacheBefore = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = env().XDG_CACHE_HOME;
  const train = async (name: string, fit: "crop" | "resize" | "random-resized-crop", dataset = "photos", seed = 0) => {
    const options = { dataset: join(folder, dataset), fit, seed, network: tinyNetwork, epochs: 1, batchSize: 8 };
    await trainClassifier({ ...options, recipe: "photos", threads: 1, run: join(folder, name) });
  };
  try {
    await train("crop", "crop");
    await train("random", "random-resized-crop");
    await train("resize", "resize");
    await train("divided", "crop", "photos", 1);
    await train("others-run", "crop", "others");
  } finally {
    if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = cacheBefore;
  }
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd: folder, env: env() });
}

async function evaluation(args: string): Promise<Evaluation & { readonly runs?: readonly { top1Accuracy: number }[] }> {
  const { exit, stdout, stderr } = await alexnet(`evaluate ${args} --threads 1 --json`);
  assert.equal(exit, 0, stderr);
  return JSON.parse(stdout);
}

/** Rows of fields, by RFC 4180. */
function parseCsv(text: string): readonly (readonly string[])[] {
  assert.ok(text.endsWith("\r\n"));
  return text
    .slice(0, -2)
    .split("\r\n")
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'),
      ),
    );
}

test("--csv: every prediction with its file; the figures and the worst mistakes follow from it", async () => {
  const result = await evaluation("crop --csv out.csv");
  const [headings, ...rows] = parseCsv(await readFile(join(folder, "out.csv"), "utf8"));
  assert.deepEqual(headings, ["index", "file", "class", "predicted", "probability", "class_probability"]);
  assert.equal(rows.length, result.images);
  const loss = rows.reduce((sum, row) => sum - Math.log(Number(row[5])) / rows.length, 0);
  // The same probabilities, by another way through f64.
  assert.ok(Math.abs(loss - result.loss) < 1e-12, `${loss} and ${result.loss}`);
  for (const [i, [index, file = "", className = "", predicted = ""]] of rows.entries()) {
    assert.equal(index, String(i));
    assert.ok(file.startsWith(join(folder, "photos", className)), file);
    assert.ok(classNames.includes(predicted), predicted);
  }
  const sorted = [...classNames].sort();
  assert.deepEqual(
    result.confusion,
    sorted.map((own) => sorted.map((other) => rows.filter((row) => row[2] === own && row[3] === other).length)),
  );
  const mistakes = rows.filter((row) => row[2] !== row[3]).sort((a, b) => Number(a[5]) - Number(b[5]));
  assert.deepEqual(
    result.worstMistakes.map(({ file }) => file),
    mistakes.slice(0, 10).map((row) => row[1]),
  );
  const left = (await readdir(folder)).filter((name) => name.startsWith("out.csv"));
  assert.deepEqual(left, ["out.csv"]);
  const printed = await alexnet("evaluate crop --csv -");
  assert.equal(printed.stdout, await readFile(join(folder, "out.csv"), "utf8"));
  assert.equal((await alexnet("evaluate crop --csv - --json")).exit, 2);
  const refused = await alexnet("evaluate crop --csv nowhere/out.csv");
  assert.equal(refused.exit, 1);
  assert.match(
    refused.stderr,
    /^alexnet: nowhere\/out\.csv: cannot be written: the folder nowhere does not exist; create it first/m,
  );
  assert.match(refused.stdout, /top-1 accuracy/);
});

test("--plots: the charts as SVG and PNG", async () => {
  await evaluation("crop --plots new/plots");
  const files = (await readdir(join(folder, "new", "plots"))).sort();
  assert.deepEqual(
    files,
    ["calibration", "classes", "confusion", "precision-recall", "roc"].flatMap((name) => [
      `${name}.png`,
      `${name}.svg`,
    ]),
  );
  const svg = await readFile(join(folder, "new", "plots", "confusion.svg"), "utf8");
  for (const name of classNames) assert.ok(svg.includes(`>${name}<`), name);
});

test("--ten-crop gives other figures of the same images; where the fit keeps no more than the input it is refused", async () => {
  for (const name of ["crop", "random"]) {
    const [one, ten] = [await evaluation(name), await evaluation(`${name} --ten-crop --batch-size 2`)];
    assert.equal(one.images, ten.images);
    assert.notEqual(one.loss, ten.loss);
    assert.deepEqual(
      one.perClass.map(({ images }) => images),
      ten.perClass.map(({ images }) => images),
    );
  }
  const { exit, stderr, stdout } = await alexnet("evaluate resize --ten-crop");
  assert.deepEqual([exit, stdout], [1, ""]);
  assert.match(stderr, /ten-crop: expected a fit that keeps more than the input's 28×28, got resize/);
});

test("--flip averages two views of any fit, alone and in an ensemble; it excludes --ten-crop", async () => {
  const [one, two] = [await evaluation("resize"), await evaluation("resize --flip --batch-size 3")];
  assert.equal(one.images, two.images);
  assert.notEqual(one.loss, two.loss);
  const same = await evaluation("resize resize --flip --batch-size 3");
  // The same network twice is that network: averaging equal f64 values is exact, except for the order of the sums. Without AVX-512, a batch of another size has
  // other roundings.
  assert.ok(Math.abs(same.loss - two.loss) < 1e-12, `${same.loss} and ${two.loss}`);
  const { exit, stderr } = await alexnet("evaluate crop --flip --ten-crop");
  assert.equal(exit, 2);
  assert.match(stderr, /--ten-crop includes the reflections of --flip; omit one/);
});

test("several runs as one, each with its own preprocessing, and each one's own accuracy beside it", async () => {
  const names = ["crop", "random", "resize"];
  const together = await evaluation(names.join(" "));
  const alone = await Promise.all(names.map((name) => evaluation(name)));
  assert.deepEqual(
    together.runs?.map(({ top1Accuracy }) => top1Accuracy),
    alone.map(({ top1Accuracy }) => top1Accuracy),
  );
  assert.equal(together.images, alone[0]?.images);
  // The same network three times is that network.
  const same = await evaluation("crop crop crop --ten-crop");
  const once = await evaluation("crop --ten-crop");
  assert.deepEqual(same.confusion, once.confusion);
  assert.ok(Math.abs(same.loss - once.loss) < 1e-12, `${same.loss} and ${once.loss}`);
  const text = (await alexnet("evaluate crop random --ten-crop --threads 1")).stdout;
  assert.match(text, /^crop\/best\.safetensors +tiny +[\d.]+ %\nrandom\/best\.safetensors +tiny +[\d.]+ %\n/m);
  assert.match(text, /^together +[\d.]+ %\n/m);
  assert.match(text, /Precision +Recall/);
});

test("runs of other classes, or of other held-out pictures, are refused", async () => {
  const classes = await alexnet("evaluate crop others-run");
  assert.equal(classes.exit, 1);
  assert.match(classes.stderr, /others-run\/best\.safetensors: expected the classes of the first run, got others: /);
  const pictures = await alexnet("evaluate crop divided");
  assert.equal(pictures.exit, 1);
  assert.match(pictures.stderr, /divided\/best\.safetensors: expected the images of the first run/);
});
