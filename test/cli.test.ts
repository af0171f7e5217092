/**
 * The command from outside: what it prints, how it ends, and what it says to bad input. Longer than other files: all of it
 * runs on one built package and two small trained runs.
 */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { readWeights } from "../src/checkpoint/model.ts";
import type { NamedShape } from "../src/checkpoint/safetensorsHeader.ts";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { writeSafetensors } from "../src/checkpoint/safetensorsWriter.ts";
import { commands } from "../src/cli/commands.ts";
import { limitSplit } from "../src/dataset/dataset.ts";
import { batches } from "../src/dataset/prepare/batches.ts";
import { createPreparation } from "../src/dataset/prepare/preparation.ts";
import { fashionMnist, loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { weightSink } from "../src/model/tensorStores.ts";
import { networks } from "../src/network/alexnet.ts";
import { operations } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";
import { softmax } from "../src/training/evaluation/classHead.ts";
import { memoryStore } from "./checkpoints.ts";
import { builtCommand, type Outcome, run, start } from "./command.ts";
import { runMain } from "./mainOutput.ts";
import { root } from "./sourceFiles.ts";
import { drawingNetwork, idx, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let bin: string;
const noOneDnn = { ALEXNET_ONEDNN: "/nonexistent" };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-cli-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 200, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  const options = { dataDir: join(folder, "data"), threads: 1, epochs: 2, batchSize: 16 };
  await trainWithoutReport({ ...options, network: tinyNetwork, run: join(folder, "trained") });
  await trainWithoutReport({ ...options, network: drawingNetwork, run: join(folder, "drawing") });
  const { test: images } = await loadFashionMnist(options);
  for (const i of [0, 1]) await writeFile(join(folder, `image-${i}.png`), await encodePng(images.image(i)));
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return run([bin, ...args.split(" ").filter((arg) => arg !== "")], { cwd: folder, env });
}

const withoutOneDnn = (args: string) => alexnet(args, noOneDnn);

/** The command in this process, as from the test's folder: a refusal is the same, without the start of a process. */
async function inProcess(args: string): Promise<Outcome> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await runMain(...args.split(" ").filter((arg) => arg !== ""));
  } finally {
    process.chdir(before);
  }
}

/** Unknown names and file names of the wrong kind are wrong usage. */
const isUsage = /: unknown \(|: unknown;|no data set or folder with this name|expected a name that ends in/;

/** A command that fails with exit 1, or 2 for wrong usage, nothing on standard output, one message, and no new file. */
async function assertRefused(args: string, message: RegExp, command = inProcess): Promise<void> {
  const { exit, stdout, stderr } = await command(args);
  assert.equal(exit, isUsage.test(stderr) ? 2 : 1, `${args}: ${stderr}`);
  assert.equal(stdout, "", args);
  assert.match(stderr, /^alexnet: /, args);
  assert.doesNotMatch(stderr, /\n {4}at /, args);
  assert.match(stderr, message, args);
}

/** All files and folders, so that what was left behind can be seen. */
const listing = async () => (await readdir(folder)).sort();

/** URLs of the modules that a call of Node.js loads, and other lines that it writes to standard error. */
async function modulesOf(...args: readonly string[]): Promise<readonly string[]> {
  const hook = pathToFileURL(join(root, "test/loadedModules.mjs")).href;
  const { exit, stderr } = await run(["--import", hook, ...args], { cwd: folder });
  assert.equal(exit, 0, stderr);
  return stderr.split("\n");
}

/** A program that writes the help of every command, after the command's name on standard error. */
function everyHelp(): readonly string[] {
  const main = new URL("../dist/cli/main.js", pathToFileURL(bin)).href;
  const program = `import { writeSync } from "node:fs";
    import { main } from ${JSON.stringify(main)};
    for (const name of ${JSON.stringify(commands.map(({ name }) => name))}) {
      writeSync(2, "help of " + name + "\\n");
      await main([name, "--help"]);
    }`;
  return ["--input-type=module", "--eval", program];
}

test("--version and --help load few modules; the help of a command loads no library that computes, decodes or draws", async () => {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  assert.equal((await alexnet("--version")).stdout, `${version}\n`);
  const packages = (modules: readonly string[]) =>
    new Set(modules.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []));
  for (const flag of ["--version", "--help"]) {
    const modules = await modulesOf(bin, flag);
    const own = modules.filter((url) => url.includes("/package/dist/"));
    assert.ok(own.some((url) => url.endsWith("/cli/main.js")));
    assert.ok(own.length < 40, `${flag}: ${own.length} modules:\n${own.join("\n")}`);
    assert.deepEqual([...packages(modules)], ["commander"]);
  }
  const lines = await modulesOf(...everyHelp());
  assert.equal(lines.filter((line) => line.startsWith("help of ")).length, commands.length);
  for (const library of ["koffi", "sharp", "vega", "@resvg/resvg-js"]) {
    const first = lines.findIndex((line) => packages([line]).has(library));
    const command = lines.slice(0, first).findLast((line) => line.startsWith("help of "));
    assert.equal(first, -1, `the ${command} loads ${library}`);
  }
});

test("wrong usage exits 2, says what is wrong, and does nothing", async () => {
  const before = await listing();
  const wrong: readonly (readonly [args: string, says: RegExp])[] = [
    ["", /Usage: alexnet/],
    ["trian", /unknown command 'trian'\n\(Did you mean train\?\)/],
    ["train --lerning-rate 1", /unknown option '--lerning-rate'/],
    ["train --epochs many", /--epochs.*expected a number above 0 and at most 1000000, got "many"/],
    ["train --batch-size 1.5", /--batch-size.*expected a whole number above 0.*, got "1.5"/],
    ["train --seed 4294967296", /--seed.*from 0 to 4294967295/],
    ["train --engine gpu", /--engine.*auto, onednn, wasm, webgpu, reference/],
    ["train --resume", /--resume requires --run/],
    ["train --on-divergence back", /--on-divergence.*stop, rollback/],
    ["train --rollback-factor 1", /--rollback-factor.*expected a number above 0 and below 1, got "1"/],
    ["lr-find --iterations 0", /--iterations/],
    ["sweep", /missing required argument 'file'/],
    ["train fashion-mnist other", /too many arguments/],
    ["predict trained", /missing required argument 'image'/],
    ["predict trained image-0.png --top 0", /--top/],
  ];
  for (const [i, [args, says]] of wrong.entries()) {
    // The first three as processes, whose exit code a shell sees.
    const { exit, stdout, stderr } = await (i < 3 ? alexnet : inProcess)(args);
    assert.equal(exit, 2, `${args}: ${stderr}`);
    assert.equal(stdout, "", args);
    assert.match(stderr, says, args);
  }
  assert.deepEqual(await listing(), before);
});

test("names and files that are not there, or hold something else: one message, exit 1, nothing left behind", async () => {
  const write = (name: string, content: unknown) =>
    writeFile(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  const [layer, ...layers] = tinyNetwork.layers;
  await write("bad-option.json", { ...tinyNetwork, layers: [{ ...layer, kernal: 3 }, ...layers] });
  await write("bad-kind.json", { ...tinyNetwork, layers: [{ name: "conv1", kind: "conv3d" }] });
  await write("bad-shape.json", { ...tinyNetwork, input: [1, 4, 4] });
  await write("not.json", "{ nothing");
  const recipe = {
    name: "r",
    epochs: 1,
    batchSize: 8,
    learningRate: 0.1,
    optimizer: {},
    initializer: { weight: { kind: "heNormal" } },
    normalization: "unit",
  };
  await write("bad-recipe.json", { ...recipe, momentum: 0.9 });
  for (const name of ["cut", "mixed", "empty"]) await mkdir(join(folder, name));
  for (const name of ["cut", "mixed"]) await cp(join(folder, "data"), join(folder, name), { recursive: true });
  await truncate(join(folder, "cut/train-images-idx3-ubyte"), 1000);
  await writeFile(join(folder, "mixed/t10k-labels-idx1-ubyte"), idx([39], new Uint8Array(39)));
  const before = await listing();
  const refused: readonly (readonly [args: string, says: RegExp])[] = [
    ["summary alexnet-xl", /network "alexnet-xl": .*alexnet, alexnet-owt, alexnet-fashion/],
    ["summary nowhere.json", /nowhere\.json: expected a JSON file: .*no such file/],
    ["summary not.json", /not\.json: expected a JSON file/],
    ["summary bad-option.json", /bad-option\.json: conv1 \(conv2d\): .*"kernal"/],
    ["summary bad-kind.json", /bad-kind\.json: conv1: unknown kind "conv3d"; expected one of conv2d, /],
    ["summary bad-shape.json", /conv1: window 5 exceeds padded input 4 /],
    [
      "summary alexnet --input-size 60",
      /pool5: window 3 exceeds padded input 2 .*; use an input size of at least 67×67/,
    ],
    ["train --network alexnet-xl", /network "alexnet-xl"/],
    ["train --recipe adam", /recipe "adam": .*fashion, d2l, paper/],
    ["train --recipe bad-recipe.json --run runs/a/b", /bad-recipe\.json: .*"momentum"/],
    ["train mnist --run new-1", /mnist: no data set or folder with this name.*; expected fashion-mnist/],
    ["train --network tiny.json --input-size 8 --data-dir data --run new-2", /pool1: window 3 exceeds/],
    ["train --data-dir nowhere --run new-3", /nowhere: expected the four files of Fashion-MNIST, missing train-images/],
    ["train --data-dir cut --run new-4", /cut\/train-images-idx3-ubyte: expected 156800 bytes of data .*got 984/],
    ["train --data-dir mixed --run new-5", /mixed\/t10k-labels-idx1-ubyte: expected 40 labels, .*got 39/],
    ["train --run tiny.json", /tiny\.json: cannot be written/],
    ["lr-find --data-dir data --output rates.gif", /rates\.gif: expected a name that ends in \.png or \.svg/],
    ["lr-find --data-dir data --min-rate 1 --max-rate 0.1", /--min-rate: expected less than --max-rate, 0\.1, got 1/],
    ["sweep nowhere.json", /nowhere\.json: expected a sweep \(see alexnet sweep --help\): .*no such file/],
    ["sweep bad-recipe.json", /bad-recipe\.json: expected a sweep .*"momentum"/s],
    ["evaluate nowhere", /nowhere: no such file or folder; expected a run directory or a model file/],
    ["evaluate empty", /empty: contains no checkpoint; expected best\.safetensors or last\.safetensors/],
    ["evaluate trained --dataset mnist", /mnist: no data set or folder with this name/],
    ["evaluate trained --dataset imagenet", /imagenet: expected a folder that contains train and val/],
    [
      "predict image-0.png image-0.png",
      /image-0\.png: not a safetensors file; import another program's file with: alexnet import/,
    ],
  ];
  for (const [i, [args, says]] of refused.entries()) await assertRefused(args, says, i < 3 ? alexnet : inProcess);
  assert.deepEqual(await listing(), before);
  assert.deepEqual(await readdir(join(folder, "empty")), []);
});

test("a run that cannot be started leaves the user's own empty folder where it was", async () => {
  await assertRefused("train imagenet --run empty", /imagenet/, alexnet);
  assert.deepEqual(await readdir(join(folder, "empty")), []);
});

test("weights files that are damaged, foreign, or of another shape: one message, every tensor that does not fit", async () => {
  const bytes = await readFile(join(folder, "trained/best.safetensors"));
  const change = async (name: string, position: number) => {
    const changed = Buffer.from(bytes);
    changed[position] = (changed[position] as number) ^ 16;
    await writeFile(join(folder, name), changed);
  };
  await change("flipped-values.safetensors", bytes.length - 50);
  await change("flipped-header.safetensors", 200);
  await writeFile(join(folder, "cut.safetensors"), bytes.subarray(0, 2000));
  await writeFile(join(folder, "foreign.safetensors"), await foreignFile());
  await writeMisshapen();
  const refused: readonly (readonly [file: string, says: RegExp])[] = [
    ["flipped-values", /corrupt, .*its checksum differs/],
    ["flipped-header", /corrupt, .*its checksum differs/],
    ["cut", /corrupt, .*expected \d+ bytes|its header claims/],
    [
      "foreign",
      /the file does not state everything that predictions need; add --network, --head, --classes, --fit, --mean/,
    ],
    [
      "misshapen",
      /4 tensors do not match:\n {2}features\.0\.weight: expected \[8, 1, 5, 5\], got \[8, 25\]\n {2}features\.0\.bias: missing, expected \[8\]\n {2}classifier\.3\.bias: missing, expected \[10\]\n {2}classifier\.9\.bias: not expected, got \[10\]\n$/,
    ],
  ];
  for (const [file, says] of refused) {
    const message = new RegExp(`^alexnet: ${file}\\.safetensors: (?:${says.source})`);
    await assertRefused(`predict ${file}.safetensors image-0.png`, message);
  }
});

/** A file as other programs write it: one tensor, no metadata. */
async function foreignFile(): Promise<Uint8Array> {
  const header = Buffer.from(JSON.stringify({ "conv1.weight": { dtype: "F32", shape: [2], data_offsets: [0, 8] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(8)]);
}

/** A weights file with a right checksum, but one tensor of another shape, two missing and one too many. */
async function writeMisshapen(): Promise<void> {
  const { tensors, model } = await withReader(join(folder, "trained/best.safetensors"), async ({ header }) => ({
    tensors: [...header.tensors].map(([name, { shape }]): NamedShape => ({ name, shape })),
    model: header.metadata,
  }));
  const changed = tensors.flatMap((tensor): readonly NamedShape[] => {
    if (tensor.name === "features.0.weight") return [{ ...tensor, shape: [8, 25] }];
    if (tensor.name === "features.0.bias") return [];
    return [tensor.name === "classifier.3.bias" ? { ...tensor, name: "classifier.9.bias" } : tensor];
  });
  await writeSafetensors(join(folder, "misshapen.safetensors"), model, memoryStore(changed));
}

test("predict: files that are no image do not keep the others from being classified", async () => {
  await writeFile(join(folder, "empty.png"), "");
  await writeFile(join(folder, "text.jpg"), "not an image\n");
  await writeFile(join(folder, "cut.png"), (await readFile(join(folder, "image-0.png"))).subarray(0, 200));
  const files = ["empty.png", "image-0.png", "text.jpg", "cut.png", "gone.png", "image-1.png"];
  const { exit, stdout, stderr } = await alexnet(`predict trained ${files.join(" ")}`);
  assert.equal(exit, 1);
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 4, stderr);
  for (const [i, file] of ["empty.png", "text.jpg", "cut.png", "gone.png"].entries()) {
    assert.match(lines[i] as string, new RegExp(`^alexnet: ${file}: expected a`));
  }
  assert.match(stdout, /^image-0\.png\n(?:.* %\n){5}\nimage-1\.png\n(?:.* %\n){5}\n$/);
});

test("predict --json: every class with its probability, the most probable first", async () => {
  const { exit, stdout } = await alexnet("predict trained image-0.png image-1.png --top 10 --json");
  assert.equal(exit, 0);
  const results: { file: string; classes: { className: string; probability: number }[] }[] = JSON.parse(stdout);
  assert.deepEqual(
    results.map(({ file }) => file),
    ["image-0.png", "image-1.png"],
  );
  for (const { classes } of results) {
    assert.equal(classes.length, 10);
    const probabilities = classes.map(({ probability }) => probability);
    assert.deepEqual(
      probabilities,
      [...probabilities].sort((a, b) => b - a),
    );
    // Ten f64 roundings.
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-12);
  }
});

test("a test image written to a file is predicted as the evaluation sees it, to the bit", async () => {
  const dataset = await loadFashionMnist({ dataDir: join(folder, "data") });
  const file = join(folder, "trained/best.safetensors");
  const classifier = await openClassifier(file, { threads: 1 });
  const { network, preprocessing, classNames, precision, exact } = classifier.model;
  const engine = createOneDnnEngine({ threads: 1 });
  const program = await engine.compile({
    ops: operations(network),
    inputShape: network.input,
    batchSize: 1,
    precision,
    exact,
  });
  await readWeights(file, weightSink(program, network));
  let i = 0;
  const preparation = createPreparation({ preprocessing });
  for await (const batch of batches({ split: limitSplit(dataset.test, { inOrder: 2 }), preparation, batchSize: 1 })) {
    const expected = softmax(await program.forward(batch.images, 1, { seed: 0, first: i }));
    const got = new Map(
      (await classifier.predict(join(folder, `image-${i++}.png`))).map((c) => [c.className, c.probability]),
    );
    assert.deepEqual(
      classNames.map((name) => got.get(name)),
      [...expected],
    );
  }
  program.close();
  engine.close();
  classifier.close();
});

test("evaluate: accuracies, loss and every class, for people and as JSON", async () => {
  const { exit, stdout } = await alexnet("evaluate trained --threads 1");
  assert.equal(exit, 0);
  assert.match(stdout, /^trained\/best\.safetensors: tiny\n/);
  for (const says of [/top-1 accuracy/, /top-5 accuracy/, /loss/, /Ankle boot/]) assert.match(stdout, says);
  const report = JSON.parse((await alexnet("evaluate trained/last.safetensors --limit 30 --json")).stdout);
  assert.deepEqual(Object.keys(report), [
    "file",
    "network",
    "loss",
    "images",
    "top1Accuracy",
    "topK",
    "perClass",
    "confusion",
    "averages",
    "calibration",
    "accuracyInterval",
    "worstMistakes",
    "bestPredictions",
    "ranking",
    "labelErrors",
  ]);
  assert.deepEqual([report.images, report.topK.k, report.perClass.length], [30, 5, 10]);
  const correct = report.perClass.reduce((sum: number, entry: { correct: number }) => sum + entry.correct, 0);
  assert.equal(report.top1Accuracy, correct / 30);
});

test("summary --json: the documented fields, for one network and for all", async () => {
  const one = JSON.parse((await inProcess("summary alexnet --json")).stdout);
  const fields = ["network", "source", "deviations", "input", "batchSize", "layers", "totals", "trainingMemory"];
  assert.deepEqual(Object.keys(one), [...fields, "againstPaper"]);
  const ofLayer = [
    "name",
    "kind",
    "label",
    "kernel",
    "stride",
    "padding",
    "groups",
    "sizeFormulas",
    "inputShape",
    "outputShape",
  ];
  const counted = ["parameters", "neurons", "macs", "parameterFormula", "flops", "parameterShare", "macShare"];
  const inPixels = ["activationBytes", "gradientBytes", "receptiveField"];
  assert.deepEqual(Object.keys(one.layers[0]), [...ofLayer, ...counted, ...inPixels]);
  assert.deepEqual(one.totals, { parameters: 60965224, neurons: 659272, macs: 724406816, flops: 1448813632 });
  assert.deepEqual(one.input, [3, 227, 227]);
  assert.deepEqual(
    JSON.parse((await inProcess("summary --json")).stdout),
    JSON.parse(JSON.stringify(networks.map((n) => summarize(n)))),
  );
  const resized = JSON.parse((await inProcess("summary tiny.json --input-size 40 --classes 3 --json")).stdout);
  assert.deepEqual([resized.input, resized.layers.at(-1).outputShape], [[1, 40, 40], [3]]);
  const batch = JSON.parse((await inProcess("summary alexnet --batch-size 1 --json")).stdout);
  assert.deepEqual([batch.batchSize, batch.layers[0].activationBytes], [1, 4 * 290400]);
});

test("doctor: this machine, as text and as JSON; without oneDNN it says what to install and exits 1", async () => {
  const { exit, stdout } = await alexnet("doctor");
  assert.equal(exit, 0, stdout);
  assert.match(
    stdout,
    /^WebGPU +(only needed for --engine webgpu\. engine webgpu: .*; install .*|WebGPU 2 \(.*\).*)$/m,
  );
  for (const says of [/^Node\.js +\d+\./m, /^oneDNN +2\.\d+\.\d+ at \//m, /^processor .*core/m, /^fashion-mnist /m])
    assert.match(stdout, says);
  const withoutMpi = await alexnet("doctor", { ALEXNET_MPI: "/nonexistent" });
  assert.equal(withoutMpi.exit, 0);
  assert.match(
    withoutMpi.stdout,
    /^MPI +only needed for --processes\. MPI: ALEXNET_MPI: .*; set it to a libmpi, or unset it$/m,
  );
  const report = JSON.parse((await alexnet("doctor --json")).stdout);
  assert.deepEqual(Object.keys(report), ["machine", "threads", "libraries", "onednn", "webgpu", "mpi", "datasets"]);
  assert.equal(report.datasets[0].name, fashionMnist.name);
  assert.match(report.onednn.engine, /^oneDNN 2\./);
  // oneDNN computes in bf16 with AVX-512 only.
  const names: readonly string[] = report.onednn.precisions.map(({ name }: { readonly name: string }) => name);
  assert.equal(names.includes("bf16"), !/\((SSE4\.1|AVX|AVX2|AVX2 VNNI)\)/.test(report.onednn.engine), names.join());
  const without = await alexnet("doctor", noOneDnn);
  assert.equal(without.exit, 1);
  assert.match(
    without.stdout,
    /wasm, several times slower than oneDNN\. oneDNN: ALEXNET_ONEDNN=\/nonexistent: cannot open .*; set ALEXNET_ONEDNN to .* 2\.6 or later/,
  );
});

test("setup: installs nothing where oneDNN is found, and names the library of ALEXNET_ONEDNN that cannot be loaded", async () => {
  const { exit, stdout } = await alexnet("setup");
  assert.deepEqual(
    [exit, stdout.replace(/\d+\.\d+ is \/.*:/, "V is FILE:")],
    [0, "oneDNN 2.V is FILE: nothing to install\n"],
  );
  await assertRefused("setup", /oneDNN: ALEXNET_ONEDNN=\/nonexistent: cannot open/, withoutOneDnn);
});

test("without oneDNN: what needs it is refused, and the rest computes in WebAssembly, with a warning", async () => {
  await assertRefused(
    "train --engine onednn --data-dir data --run new",
    /oneDNN: ALEXNET_ONEDNN=\/nonexistent: cannot open shared object file.*; set ALEXNET_ONEDNN to .* 2\.6 or later of 2\.x, or 3\.x/,
    withoutOneDnn,
  );
  await assertRefused(
    "evaluate trained --engine onednn",
    /oneDNN: ALEXNET_ONEDNN=\/nonexistent: cannot open/,
    withoutOneDnn,
  );
  const tiny = await alexnet("train --network tiny.json --data-dir data --epochs 0.5 --run slow", noOneDnn);
  assert.equal(tiny.exit, 0, tiny.stderr);
  assert.match(
    tiny.stderr,
    /^oneDNN: ALEXNET_ONEDNN=.* Using the WebAssembly engine, which is several times slower\nprecision: f32, .*/,
  );
  assert.doesNotMatch(tiny.stderr, /will take about/);
  assert.match(tiny.stdout, /images\/s on WebAssembly/);
  assert.equal(JSON.parse(await readFile(join(folder, "slow/config.json"), "utf8")).engine.name, "wasm");
});

test("train --json: the result, and nothing else on standard output", async () => {
  const { exit, stdout, stderr } = await alexnet(
    "train --network tiny.json --data-dir data --epochs 1 --threads 1 --json --run json",
  );
  assert.equal(exit, 0);
  const result = JSON.parse(stdout);
  assert.deepEqual(Object.keys(result), ["run", "end", "last", "best", "evaluation", "device"]);
  assert.deepEqual([result.run, result.end, result.last.epoch, result.evaluation.images], ["json", "finished", 1, 40]);
  assert.match(stderr, /^epoch 1: train loss \d\.\d{3}, train accuracy \d+\.\d %, test accuracy \d+\.\d %$/m);
});

test("train without --run: the first directory that is not there yet", async () => {
  await mkdir(join(folder, "runs/tiny-1"), { recursive: true });
  const { exit, stdout, stderr } = await alexnet("train --network tiny.json --data-dir data --epochs 0.1 --threads 1");
  assert.equal(exit, 0, stderr);
  assert.match(
    stdout,
    /^train loss \d+\.\d{3}, train accuracy \d+\.\d %, test accuracy \d+\.\d %\n[\d.,]+ images\/s on oneDNN .*\nreport runs\/tiny-2\/report\.html\n$/,
  );
  assert.deepEqual(await readdir(join(folder, "runs/tiny-1")), []);
});

test("training that diverges exits 3 with one message", async () => {
  const { exit, stderr } = await alexnet(
    "train --network tiny.json --data-dir data --learning-rate 1e38 --threads 1 --run diverged",
  );
  assert.equal(exit, 3);
  assert.match(stderr, /\nalexnet: training: .* after iteration \d+; start another run with a lower --learning-rate/);
  assert.doesNotMatch(stderr, /\n {4}at /);
});

test("rollbacks that are used up exit 3 with one message", async () => {
  const { exit, stderr } = await alexnet(
    "train --network tiny.json --data-dir data --learning-rate 1e38 --threads 1 --run spent --on-divergence rollback --max-rollbacks 2 --rollback-factor 0.9",
  );
  assert.equal(exit, 3, stderr);
  assert.match(stderr, /; back to iteration 0 with the learning rate × 0\.9 \(rollback 1 of 2\)\n/);
  assert.match(
    stderr,
    /\nalexnet: training: .*; gave up after 2 rollbacks \(learning rate now 8\.1e\+37\); resume with/,
  );
});

test("lr-find: a chart, a figure, JSON, and nothing else", async () => {
  const before = await listing();
  const command =
    "lr-find --network tiny.json --data-dir data --threads 1 --batch-size 16 --min-rate 1e-4 --max-rate 1e3";
  const { exit, stdout, stderr } = await alexnet(`${command} --output rates.png`);
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /^tiny on fashion-mnist, recipe fashion: loss against learning rate\n/);
  assert.match(stdout, /\nlearning rate \S+ +steepest fall\n/);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  assert.deepEqual((await readFile(join(folder, "rates.png"))).subarray(1, 4).toString(), "PNG");
  const report = JSON.parse((await alexnet(`${command} --json --iterations 30`)).stdout);
  const keys = ["network", "dataset", "recipe", "learningRate", "range", "end", "suggestions", "points"];
  assert.deepEqual(Object.keys(report), keys);
  assert.deepEqual(Object.keys(report.points[0]), ["learningRate", "loss", "smoothed"]);
  await rm(join(folder, "rates.png"));
  assert.deepEqual(await listing(), before);
});

test("sweep: a table, a figure, and the same again without training; JSON", async () => {
  const base = { network: "tiny.json", dataDir: "data", threads: 1, batchSize: 16, epochs: 1 };
  await writeFile(join(folder, "rates.json"), JSON.stringify({ base, grid: { learningRate: [0.01, 0.02, 1e38] } }));
  const first = await alexnet("sweep rates.json --run swept");
  assert.equal(first.exit, 0, first.stderr);
  const table = /^Trial +learningRate +Best +Last +Loss\n(?:-+ *)+\n(?: .*\n){3}\ntrial 3: training: .*\n/;
  assert.match(first.stdout, table);
  assert.match(first.stdout, /\nfigure swept\/sweep\.png\n$/);
  const again = await alexnet("sweep rates.json --run swept");
  assert.equal(again.stdout, first.stdout);
  assert.equal(again.stderr, "");
  const killed = start([bin, "sweep", "rates.json", "--run", "killed"], { cwd: folder });
  killed.process.stderr?.on("data", () => {
    if (killed.stderr().includes("trial 2 of 3: learningRate 0.02")) killed.process.kill("SIGKILL");
  });
  assert.equal((await killed.outcome).exit, "SIGKILL");
  const resumed = await alexnet("sweep rates.json --run killed");
  assert.equal(resumed.stdout, first.stdout.replaceAll("swept/", "killed/"));
  assert.doesNotMatch(resumed.stderr, /trial 1 of 3/);
  const report = JSON.parse((await alexnet("sweep rates.json --run swept --json")).stdout);
  assert.deepEqual(Object.keys(report), ["directory", "end", "trials", "results", "figure"]);
  assert.deepEqual(
    report.results.map(({ status }: { status: string }) => status),
    ["finished", "finished", "diverged"],
  );
  assert.deepEqual((await readdir(join(folder, "swept"))).sort(), [
    "results.json",
    "sweep.json",
    "sweep.png",
    "trial-001",
    "trial-002",
    "trial-003",
  ]);
});

test("a network whose dropout stays active: an answer is a draw, which is said; one seed, one answer; --samples averages", async () => {
  const predict = async (flags: string) => {
    const { exit, stdout, stderr } = await alexnet(`predict drawing image-0.png --top 10 --json ${flags}`);
    assert.equal(exit, 0, stderr);
    return { stdout, stderr };
  };
  const [one, again, other, mean, evaluation, samples] = await Promise.all([
    predict("--seed 1"),
    predict("--seed 1"),
    predict("--seed 2"),
    predict("--seed 1 --samples 50"),
    alexnet("evaluate drawing"),
    alexnet("evaluate drawing --samples 3"),
  ]);
  assert.equal(again.stdout, one.stdout);
  assert.notEqual(other.stdout, one.stdout);
  assert.notEqual(mean.stdout, one.stdout);
  assert.match(
    one.stderr,
    /Dropout is active at evaluation in this network: each prediction is a random sample \(--samples, --seed\)/,
  );
  assert.match(mean.stderr, /each prediction is the mean of 50 random samples/);
  assert.match(evaluation.stderr, /these results are a random sample \(--samples, --seed\)/);
  assert.match(samples.stderr, /these results are the mean of 3 random samples/);
  assert.notEqual(samples.stdout, evaluation.stdout);
  assert.equal((await alexnet("predict trained image-0.png")).stderr, "");
});
