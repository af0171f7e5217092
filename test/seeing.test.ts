/**
 * What a network is and what it sees: `summary`, `draw`, `filters`, `activations`, `similar`, `map` and `saliency`, from the command and against the
 * reference engine.
 */
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import { drawActivations } from "../src/explain/activationFigure.ts";
import { drawFilters } from "../src/explain/filterFigure.ts";
import { type MapPoint, mapPictures } from "../src/explain/map.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { findSimilar } from "../src/explain/similar.ts";
import { decodeBytes, decodeImage, encodePng } from "../src/image/files/decode.ts";
import { createPreprocessor } from "../src/image/prepare/preprocess.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import { drawNetwork } from "../src/report/figures/drawing.ts";
import { toPng } from "../src/report/figures/png.ts";
import { inPage } from "../src/report/theme.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { softmax } from "../src/training/evaluation/classHead.ts";
import { assertClose } from "./assertClose.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { drawingNetwork, tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let bin: string;
let trained: string;
let picture: string;
const noOneDnn = { ALEXNET_ONEDNN: "/nonexistent" };
const PICTURES = 40;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-seeing-"));
  [trained, picture] = [join(folder, "trained"), join(folder, "photos/a/00.png")];
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 200, test: PICTURES });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  const options = { dataDir: join(folder, "data"), threads: 1, epochs: 2, batchSize: 16, precision: "f32" } as const;
  await trainClassifier({ ...options, network: tinyNetwork, run: trained });
  await trainWithoutReport({ ...options, network: drawingNetwork, run: join(folder, "drawing") });
  await trainClassifier({ ...options, network: wideNetwork, run: join(folder, "wide") });
  const { test: images } = await loadFashionMnist(options);
  for (const name of ["a", "b"]) await mkdir(join(folder, "photos", name), { recursive: true });
  for (let i = 0; i < PICTURES; i++) {
    const name = `photos/${i % 2 === 0 ? "a" : "b"}/${String(i).padStart(2, "0")}.png`;
    await writeFile(join(folder, name), await encodePng(images.image(i)));
  }
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd: folder, env });
}

const layerNames = tinyNetwork.layers.map(({ name }) => name);

/** The outputs of every layer for a picture, changed by `change` once it is prepared. */
async function outputsOf(
  file: string,
  engine: "reference" | "onednn",
  change: (input: Float32Array) => void = () => {},
) {
  const opened = await openLayerOutputs(trained, () => layerNames, { engine, threads: 1 });
  try {
    const input = new Float32Array(28 * 28);
    createPreprocessor(opened.model.preprocessing)(await decodeImage(file), input, 0);
    change(input);
    const outputs = await opened.forward(input, 1);
    return new Map(outputs.map((output, i) => [layerNames[i] ?? "", output.slice()]));
  } finally {
    opened.close();
  }
}

const named = (outputs: ReadonlyMap<string, Float32Array>, name: string) => outputs.get(name) ?? new Float32Array();

test("the outputs of layers are the reference engine's, and the last ones are what predict says", async () => {
  const [fast, plain] = [await outputsOf(picture, "onednn"), await outputsOf(picture, "reference")];
  for (const name of layerNames) {
    // f32 against f64: sums of up to 200 products of numbers about 1, in each of three layers.
    assertClose(named(fast, name), named(plain, name), { absolute: 1e-4, relative: 1e-4 }, name);
  }
  assert.deepEqual(
    named(fast, "relu1"),
    named(fast, "conv1").map((value) => Math.max(0, value)),
  );
  assert.deepEqual(named(fast, "drop2"), named(fast, "relu2"), "dropout at evaluation");
  const classifier = await openClassifier(trained, { threads: 1 });
  const { classNames } = classifier.model;
  const predicted = new Map((await classifier.predict(picture)).map((entry) => [entry.className, entry.probability]));
  classifier.close();
  const probabilities = softmax(named(fast, "fc3"));
  // The same sums, in one program and in nine.
  assertClose(
    classNames.map((name) => predicted.get(name) ?? -1),
    probabilities,
    { absolute: 1e-6 },
    "probabilities",
  );
});

test("filters are the weights, each scaled by its own largest, and need no engine", async () => {
  const { svg, kernels, shape, file } = await drawFilters(trained);
  assert.deepEqual([kernels, shape], [8, [1, 5, 5]]);
  const weights = await withReader(file, (reader) => reader.read("features.0.weight"));
  const [, base64 = ""] = /href="data:image\/png;base64,([^"]+)"/.exec(svg) ?? [];
  const { image } = await decodeBytes(Buffer.from(base64, "base64"));
  const factor = 13; // 5 pixels to 64 or more
  assert.deepEqual([image.width, image.height], [8 * (5 * factor + 6) - 6, 5 * factor]);
  for (let k = 0; k < 8; k++) {
    const own = weights.subarray(25 * k, 25 * (k + 1));
    const largest = Math.max(...own.map(Math.abs));
    for (const [i, weight] of own.entries()) {
      const [x, y] = [k * (5 * factor + 6) + (i % 5) * factor + 6, Math.floor(i / 5) * factor + 6];
      // Levels are whole numbers.
      assertClose(
        [image.data[y * image.width + x] ?? -1],
        [127.5 * (1 + weight / largest)],
        { absolute: 0.51 },
        `kernel ${k}`,
      );
    }
  }
  const { exit, stdout } = await alexnet("filters trained --json", noOneDnn);
  assert.deepEqual([exit, JSON.parse(stdout).output], [0, "filters.png"]);
  assert.ok((await decodeImage(join(folder, "filters.png"))).width > image.width);
});

test("a run's report has the filters and the drawing that the commands make, and no filters where none can be seen", async () => {
  const page = await readFile(join(trained, "report.html"), "utf8");
  const { svg } = await drawFilters(join(trained, "last.safetensors"));
  assert.ok(page.includes(inPage(svg)));
  assert.deepEqual(await readFile(join(trained, "filters.png")), Buffer.from(toPng(svg)));
  const drawing = await readFile(join(trained, "network.svg"), "utf8");
  assert.equal(drawing, drawNetwork(tinyNetwork, "light"));
  assert.ok(page.includes(inPage(drawing)));
  const wide = await readdir(join(folder, "wide"));
  assert.deepEqual([wide.includes("network.svg"), wide.includes("filters.png")], [true, false]);
  assert.doesNotMatch(await readFile(join(folder, "wide", "report.html"), "utf8"), /first layer&#39;s filters/);
  assert.match(page, /first layer&#39;s filters/);
});

test("activations: every layer that changes something, with its range", async () => {
  const { layers, svg } = await drawActivations(trained, picture, { threads: 1, maps: 4 });
  assert.deepEqual(
    layers.map(({ layer }) => layer),
    ["conv1", "relu1", "norm1", "pool1", "fc2", "relu2", "fc3"],
  );
  const outputs = await outputsOf(picture, "onednn");
  for (const { layer, least, greatest, positive } of layers) {
    const values = [...named(outputs, layer)];
    assert.deepEqual([least, greatest], [Math.min(...values), Math.max(...values)]);
    assert.equal(positive, values.filter((value) => value > 0).length / values.length);
  }
  assert.equal([...svg.matchAll(/<image /g)].length, layers.length + 1);
  assert.match(svg, />conv1 \(conv2d\): 8 maps of 12×12, the first 4; /);
  const { exit, stdout } = await alexnet("activations trained photos/b/01.png --output seen.png --json");
  assert.deepEqual([exit, JSON.parse(stdout).layers.length], [0, 7]);
  await decodeImage(join(folder, "seen.png"));
});

test("similar: the order and the distances are those of the reference engine's features", async () => {
  const photos = join(folder, "photos");
  const copy = join(photos, "b/copy.png");
  await copyFile(picture, copy);
  await writeFile(join(photos, "b/damaged.png"), "no picture");
  try {
    const bad: string[] = [];
    const onBad = (message: string) => bad.push(message);
    const found = await findSimilar(trained, photos, [picture], { threads: 1, top: 12, onBad });
    const features = new Map<string, Float32Array>();
    for (const name of ["a", "b"]) {
      for (const file of await readdir(join(photos, name))) {
        if (file === "damaged.png") continue;
        const path = join(photos, name, file);
        features.set(path, named(await outputsOf(path, "reference"), "relu2"));
      }
    }
    const query = features.get(picture) ?? new Float32Array();
    const expected = [...features]
      .filter(([path]) => path !== picture)
      .map(([path, values]) => [path, Math.hypot(...values.map((value, i) => value - (query[i] as number)))] as const)
      .sort((a, b) => a[1] - b[1])
      .slice(0, 12);
    const nearest = found?.queries[0]?.nearest ?? [];
    assert.deepEqual(
      nearest.map(({ file }) => file),
      expected.map(([path]) => path),
    );
    // Distances of up to about 10, of features in f32.
    assertClose(
      nearest.map(({ distance }) => distance),
      expected.map(([, distance]) => distance),
      { absolute: 1e-4 },
      "distances",
    );
    assert.equal(nearest[0]?.file, copy, "its copy, and not itself");
    // The same picture in another row of a batch: f32 sums may be added up in another order.
    assert.ok((nearest[0]?.distance ?? 1) < 1e-4, `${nearest[0]?.distance}`);
    assert.deepEqual([found?.layer, found?.features, found?.pictures, found?.bad], ["drop2", 16, 41, 1]);
    assert.match(bad.join(), /damaged\.png: /);
  } finally {
    for (const name of ["copy", "damaged"]) await rm(join(photos, `b/${name}.png`));
  }
});

test("map: each test picture once, with the class that evaluate predicts, and the reference engine's variances", async () => {
  const steps: number[] = [];
  const onComponentStep = (step: number) => steps.push(step);
  const made = await mapPictures(trained, { threads: 1, perplexity: 8, onComponentStep });
  assert.ok(steps.length > 0 && steps.every((step, i) => step === i + 1), `${steps}`);
  const { points, explainedVariance, ...figures } = made;
  assert.deepEqual([figures.layer, figures.features, figures.method, figures.perplexity], ["drop2", 16, "tsne", 8]);
  const predictions: { index: number; className: string; predicted: string }[] = [];
  const classifier = await openClassifier(trained, { threads: 1 });
  await classifier.evaluate({ onPrediction: (prediction) => predictions.push(prediction) });
  classifier.close();
  assert.deepEqual(
    points.map(({ index, className, predicted }) => ({ index, className, predicted })),
    predictions.map(({ index, className, predicted }) => ({ index, className, predicted })),
  );
  // The trace of the covariance is the sum of the variances of the features.
  const rows: Float32Array[] = [];
  for (let i = 0; i < PICTURES; i++) {
    const file = join(folder, `photos/${i % 2 === 0 ? "a" : "b"}/${String(i).padStart(2, "0")}.png`);
    rows.push(named(await outputsOf(file, "reference"), "relu2"));
  }
  await assert.rejects(
    mapPictures(trained, { threads: 1, perplexity: 0.5 }),
    /^ConfigError: perplexity: expected a number above 1, got 0\.5$/,
  );
  const along = await mapPictures(trained, { threads: 1, method: "pca" });
  const variance = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  };
  const total = Array.from({ length: 16 }, (_, k) => variance(rows.map((row) => row[k] as number))).reduce(
    (a, b) => a + b,
  );
  for (const [i, coordinate] of (["x", "y"] as const).entries()) {
    const share = variance(along.points.map((point) => point[coordinate])) / total;
    // Features in f32.
    assertClose([explainedVariance[i] as number], [share], { relative: 1e-4 }, coordinate);
  }
  const { stdout } = await alexnet("map trained --method pca --threads 1 --output along.svg");
  const [both = ""] = /(?<=; )2 components: .*(?= % of the variance\n)/.exec(stdout) ?? [];
  const drawn = 100 * along.explainedVariance.slice(0, 2).reduce((a, b) => a + b);
  // Of a percentage to one digit.
  assertClose([Number(both.split(": ")[1])], [drawn], { absolute: 0.051 }, stdout);
  // PCA keeps distances but for what the other components hold: the places are nowhere farther apart than the features.
  const [first, second] = along.points.slice(0, 2) as [MapPoint, MapPoint];
  const apart = Math.hypot(...(rows[0] as Float32Array).map((value, k) => value - (rows[1]?.[k] as number)));
  assert.ok(Math.hypot(first.x - second.x, first.y - second.y) <= apart * (1 + 1e-4));
});

test("map: of a folder, by the command, with the pictures at their places; classes from folders that the network knows", async () => {
  const photos = join(folder, "mapped");
  for (const [i, name] of ["Sandal", "elsewhere"].entries()) {
    await mkdir(join(photos, name), { recursive: true });
    for (let k = 0; k < 10; k++) {
      const from = `photos/${i === 0 ? "a" : "b"}/${String(2 * k + i).padStart(2, "0")}.png`;
      await copyFile(join(folder, from), join(photos, name, `${k}.png`));
    }
  }
  await writeFile(join(photos, "elsewhere/damaged.png"), "no picture");
  const { exit, stdout, stderr } = await alexnet(
    "map trained mapped --perplexity 5 --json --output m.svg --pictures p.png --threads 1",
  );
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /damaged\.png: /);
  const { output, pictures, points } = JSON.parse(stdout);
  assert.deepEqual([output, pictures, points.length], ["m.svg", "p.png", 20]);
  const classes = new Set(
    points.map((p: { file: string; className?: string }) => `${p.file.split("/")[1]}: ${p.className}`),
  );
  assert.deepEqual([...classes], ["Sandal: Sandal", "elsewhere: undefined"]);
  assert.match(await readFile(join(folder, "m.svg"), "utf8"), />t-SNE \(perplexity 5\) of the 16 outputs of drop2</);
  // 8 cells of 36 pixels, and a margin.
  assert.ok((await decodeImage(join(folder, "p.png"))).width >= 8 * 36);
  await assert.rejects(
    mapPictures(trained, { threads: 1, perplexity: 8, signal: AbortSignal.abort(new Error("enough")) }),
    /enough/,
  );
});

test("saliency: each square's drop is that of the reference engine with the square hidden", async () => {
  const hidden = await measureSaliency(trained, picture, { threads: 1, window: 7, stride: 7 });
  const plain = softmax(named(await outputsOf(picture, "reference"), "fc3"));
  const predicted = plain.indexOf(Math.max(...plain));
  assertClose([hidden.probability], [plain[predicted] as number], { absolute: 1e-5 }, "saliency");
  let most = -1;
  for (const top of [0, 7, 14, 21]) {
    for (const left of [0, 7, 14, 21]) {
      const outputs = await outputsOf(picture, "reference", (input) => {
        for (let y = top; y < top + 7; y++) input.fill(0, 28 * y + left, 28 * y + left + 7);
      });
      const drop = (plain[predicted] as number) - (softmax(named(outputs, "fc3"))[predicted] as number);
      most = Math.max(most, drop);
      for (const [y, x] of [
        [top, left],
        [top + 6, left + 6],
      ] as const) {
        // Probabilities in f32.
        assertClose([hidden.drops[y]?.[x] ?? Number.NaN], [drop], { absolute: 1e-5 }, "saliency");
      }
    }
  }
  assertClose([hidden.most.drop], [most], { absolute: 1e-5 }, "saliency");
});

test("saliency: where squares overlap a pixel has their mean; where dropout stays active, hiding is all that differs", async () => {
  const whole = await measureSaliency(trained, picture, { threads: 1, window: 28 });
  const overlapping = await measureSaliency(trained, picture, { threads: 1, window: 14, stride: 14 });
  const finer = await measureSaliency(trained, picture, { threads: 1, window: 14, stride: 7 });
  assert.equal(new Set(whole.drops.flat()).size, 1);
  // A corner is hidden by one square only, whatever the stride.
  assertClose([finer.drops[0]?.[0] ?? Number.NaN], [overlapping.drops[0]?.[0] ?? -1], { absolute: 1e-7 }, "corner");
  const twice = [1, 2].map(() =>
    measureSaliency(join(folder, "drawing"), picture, { threads: 1, window: 14, stride: 14 }),
  );
  const [a, b] = [await twice[0], await twice[1]];
  assert.deepEqual(a?.drops, b?.drops);
});

test("saliency: colours in proportion to percentage points on a scale of at least 10, so that a tiny effect is pale", async () => {
  const [needed, disturbing] = [[213, 94, 0] as const, [0, 114, 178] as const];
  for (const window of [1, 14]) {
    const { svg, drops, most, least } = await measureSaliency(trained, picture, { threads: 1, window });
    assert.ok(most.drop >= Math.max(...drops.flat()) && least.drop <= Math.min(...drops.flat()));
    const labels = [...svg.matchAll(/text-anchor="\w+">([^<]*)</g)].map(([, label = ""]) => label.replace("−", "-"));
    const full = Number(labels.at(-1)) / 100;
    assert.deepEqual(
      labels.map(Number),
      [-100, -50, 0, 50, 100].map((part) => Math.round(part * full)),
    );
    const greatest = Math.max(...drops.flat().map(Math.abs));
    assert.ok(full >= greatest && (full === 0.1 || full <= 2.5 * greatest), `a scale of ${full} for ${greatest}`);
    const [, map, , bar] = [...svg.matchAll(/href="data:image\/png;base64,([^"]*)"/g)].map(([, png = ""]) => png);
    const { image } = await decodeBytes(Buffer.from(map ?? "", "base64"));
    const zoom = image.width / 28;
    let deepest = 0;
    drops.forEach((row, y) => {
      row.forEach((drop, x) => {
        const at = 3 * (zoom * y * image.width + zoom * x);
        const part = Math.abs(drop) / full;
        const expected = (drop > 0 ? needed : disturbing).map((level) => 255 + part * (level - 255));
        // Rounded to a level.
        assertClose([...image.data.subarray(at, at + 3)], expected, { absolute: 0.51 }, `pixel ${x}, ${y}`);
        deepest = Math.max(deepest, 255 - Math.min(...image.data.subarray(at, at + 3)));
      });
    });
    if (window === 1)
      assert.ok(greatest < 0.02 && deepest < 0.2 * 255, `${100 * greatest} points have a depth of ${deepest}`);
    const { image: colours } = await decodeBytes(Buffer.from(bar ?? "", "base64"));
    assert.deepEqual([...colours.data.subarray(0, 3)], needed);
    assert.deepEqual([...colours.data.subarray(-3)], disturbing);
  }
});

test("the commands write their pictures, whole or not at all, and refuse what does not fit", async () => {
  const saliency = await alexnet("saliency trained photos/a/00.png --window 14 --stride 14 --json");
  assert.deepEqual([saliency.exit, JSON.parse(saliency.stdout).drops.length], [0, 28], saliency.stderr);
  const words = await alexnet("saliency trained photos/a/00.png --window 14 --stride 14");
  assert.match(
    words.stdout,
    /^.*: \d+\.\d %; hiding 14×14 lowers it by at most \d+\.\d points, raises it by at most \d+\.\d points\nsaliency\.png\n$/,
  );
  const similar = await alexnet(
    "similar trained photos --query photos/a/00.png photos/b/01.png --top 2 --output near.svg",
  );
  assert.equal(similar.exit, 0, similar.stderr);
  assert.match(similar.stdout, /^Distance {2}photos\/a\/00\.png\n[\s\S]*near\.svg\n$/);
  assert.equal([...(await readFile(join(folder, "near.svg"), "utf8")).matchAll(/<image /g)].length, 6);
  const refused: readonly (readonly [string, RegExp])[] = [
    ["filters trained --output filters.gif", /filters\.gif: expected a name that ends in \.png or \.svg/],
    ["filters wide", /wide: expected a first layer with kernels of 1 or 3 channels, got fc1 \[256, 784\]/],
    ["filters nowhere", /nowhere: no such file or folder/],
    ["activations trained tiny.json", /tiny\.json: /],
    ["similar trained photos --query none.png", /none\.png: /],
    ["similar trained trained --query photos/a/00.png --layer conv9", /layer "conv9": .*conv1, relu1/],
    ["similar trained data --query photos/a/00.png", /data: expected a folder that contains images/],
    ["map trained", /map: expected at least 91 images for a perplexity of 30, got 40; .*--method pca/],
    ["map trained --output map.gif", /map\.gif: expected a name that ends in \.png or \.svg/],
    ["map trained none", /none: expected a folder that contains images/],
    ["map trained --method pca --layer conv9", /layer "conv9": .*conv1, relu1/],
    ["saliency trained photos/a/00.png --class dog", /class "dog": unknown; expected one of the model's, T-shirt/],
    ["saliency trained photos/a/00.png --window 29", /window: expected at most 28/],
    ["saliency trained photos/a/00.png --window 4 --stride 5", /stride: expected at most 4/],
    ["draw tiny.json --output drawn.jpg", /drawn\.jpg: expected a name that ends in \.svg or \.png/],
    ["draw tiny.json --output none/drawn.svg", /none\/drawn\.svg: /],
  ];
  const files = (await readdir(folder)).sort();
  for (const [args, message] of refused) {
    const { exit, stdout, stderr } = await alexnet(args);
    // A wrong extension is wrong usage.
    const code = /expected a name that ends in/.test(stderr) ? 2 : 1;
    assert.deepEqual([exit, stdout], [code, ""], `${args}: ${stderr}`);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /, args);
  }
  assert.deepEqual((await readdir(folder)).sort(), files);
});

test("summary: text without oneDNN and colours, Markdown, one form at a time, and the network of a run", async () => {
  // A folder of a network's name does not hide the network.
  await mkdir(join(folder, "alexnet"));
  const plain = await alexnet("summary alexnet", noOneDnn);
  assert.equal(plain.exit, 0, plain.stderr);
  for (const says of ["(227 − 11 + 2×0) ÷ 4 + 1 = 55", "11×11×3×96 + 96", "Comparison with the paper", "253,440"]) {
    assert.ok(plain.stdout.includes(says), says);
  }
  assert.ok(!plain.stdout.includes("\u001b"), "colours where there is no terminal");
  const { stdout } = await alexnet("summary alexnet --markdown");
  assert.match(stdout, /^\| conv1 \| 96 of 11×11×3 \| 4 \| 0 \| 1 \| \(227 − 11 \+ 2×0\) ÷ 4 \+ 1 = 55 \|$/m);
  for (const two of ["--markdown --json", "--svg --json", "--svg --markdown"]) {
    assert.equal((await alexnet(`summary alexnet ${two}`)).exit, 2, two);
  }
  const picture = await alexnet("summary alexnet --svg", noOneDnn);
  assert.match(picture.stdout, /^<svg [\s\S]*>conv1\u00a0+conv2d\u00a0+96×55×55\u00a0+34,944\u00a0[\s\S]*<\/svg>\n$/);
  const [ofRun, ofFile] = [await alexnet("summary trained --json"), await alexnet("summary tiny.json --json")];
  assert.deepEqual(JSON.parse(ofRun.stdout), JSON.parse(ofFile.stdout));
  const batch = JSON.parse((await alexnet("summary alexnet --batch-size 1 --json")).stdout);
  assert.deepEqual([batch.batchSize, batch.layers[0].activationBytes], [1, 4 * 290400]);
});

test("draw: SVG and PNG, without oneDNN", async () => {
  const drawn = await alexnet("draw tiny.json --output drawn.svg", noOneDnn);
  assert.deepEqual([drawn.exit, drawn.stdout], [0, "drawn.svg\n"], drawn.stderr);
  assert.match(
    await readFile(join(folder, "drawn.svg"), "utf8"),
    /^<svg [\s\S]*<text [^>]*>conv1<\/text>[\s\S]*<\/svg>$/,
  );
  assert.equal((await alexnet("draw trained --output drawn.PNG --theme dark")).exit, 0);
  assert.ok((await decodeImage(join(folder, "drawn.PNG"))).width > 400);
});
