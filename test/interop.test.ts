/** A trained network out of this program and back: `export`, `import`, `verify`, by their functions and as commands. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { CheckpointError, ConfigError, DataError } from "../src/errors.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { formatsThat } from "../src/formats/formats.ts";
import { writePytorch } from "../src/formats/pytorch/writePytorch.ts";
import { tensorNamings } from "../src/formats/tensorNaming.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { assertClose } from "./assertClose.ts";
import { readGolden } from "./golden.ts";
import { runMain } from "./mainOutput.ts";
import { runOnnx } from "./onnxRuntime.ts";
import { drawingNetwork, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder = "";
const at = (name: string) => join(folder, name);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-interop-"));
  await writeTinyDataset(folder, { train: 200, test: 40 });
  const given = { threads: 1, epochs: 1, dataDir: folder };
  await trainWithoutReport({ ...given, network: tinyNetwork, run: at("run") });
  await trainWithoutReport({ ...given, network: drawingNetwork, epochs: 0.5, run: at("drawing") });
  await writeFile(at("tiny.json"), JSON.stringify(tinyNetwork));
});
after(() => rm(folder, { recursive: true }));

/** Every tensor of a weights file, as bits. */
async function bitsOfFile(file: string): Promise<ReadonlyMap<string, string>> {
  return withReader(file, async (reader) => {
    const bits = new Map<string, string>();
    for (const { name } of reader.tensors)
      bits.set(name, Buffer.from((await reader.read(name)).buffer).toString("hex"));
    return bits;
  });
}

/** The run's weights, but the first bias of its last layer is 1 more. */
async function writeChanged(file: string): Promise<void> {
  await withReader(at("run/best.safetensors"), (reader) =>
    writePytorch(file, {
      tensors: reader.tensors,
      async read(name, into) {
        const values = await reader.read(name, into);
        if (name === "classifier.3.bias") values[0] = (values[0] as number) + 1;
        return values;
      },
    }),
  );
}

for (const { name, endings, names } of formatsThat("write").filter(({ read }) => read !== undefined)) {
  for (const naming of tensorNamings.filter((naming) => names === undefined || names === naming.name)) {
    test(`${name}, names ${naming.name}: out and back to the bit, and the same outputs`, async () => {
      const file = at(`${naming.name}${endings[0]}`);
      const exported = await exportModel(at("run"), file, { names: naming.name });
      assert.deepEqual([exported.format, exported.network, exported.tensors], [name, "tiny", 6]);
      const { largestDifference, largestOutput, sameClass, images } = await verifyModel(at("run"), file, {
        threads: 1,
      });
      assert.deepEqual([largestDifference, sameClass, images], [0, 16, 16]);
      assert.ok(largestOutput > 0.01);
      const run = at(`back-${name}-${naming.name}`);
      const { model, weights, assumptions } = await importModel(file, run, { like: at("run") });
      assert.deepEqual(assumptions, []);
      assert.deepEqual(await bitsOfFile(weights), await bitsOfFile(at("run/best.safetensors")));
      const [original, back] = [await openClassifier(at("run")), await openClassifier(run)];
      assert.deepEqual(model.classNames, original.model.classNames);
      assert.deepEqual(model.preprocessing, original.model.preprocessing);
      original.close();
      back.close();
    });
  }
}

test("ONNX: every switch counts, the file tells all that its reader needs, and ONNX Runtime says what the run says", async () => {
  const files = { plain: [], lrn: ["decompose-lrn"], softmax: ["probabilities"], pixels: ["pixels", "probabilities"] };
  for (const [name, flags] of Object.entries(files)) {
    const file = at(`${name}.onnx`);
    await exportModel(at("run"), file, { flags: new Set(flags) });
    const { largestDifference } = await verifyModel(at("run"), file, { threads: 1 });
    assert.equal(largestDifference, 0, name);
    const { model, assumptions } = await importModel(file, at(`onnx-${name}`), {});
    assert.deepEqual([model.network, model.classNames[9], assumptions], [tinyNetwork, "Ankle boot", []]);
  }
  const size = tinyNetwork.input[1] as number;
  const picture = {
    width: size,
    height: size,
    channels: 1 as const,
    data: new Uint8Array(size * size).map((_, i) => (i * 37) % 256),
  };
  const probabilities = await runOnnx(await readFile(at("pixels.onnx")), picture.data, [1, size, size, 1]);
  const classifier = await openClassifier(at("onnx-pixels"), { threads: 1 });
  const scores = new Map((await classifier.predict(picture)).map((score) => [score.className, score.probability]));
  const expected = classifier.model.classNames.map((name) => scores.get(name) as number);
  classifier.close();
  // Sums in another order, f32.
  assertClose([...probabilities], expected, { relative: 1e-4, absolute: 1e-6 }, "probabilities");
});

test("Caffe: a .caffemodel becomes a run, and is not written", async () => {
  const { cases } = await readGolden<{ cases: readonly { readonly name: string; readonly model: string }[] }>("caffe");
  await writeFile(at("zoo.caffemodel"), Buffer.from(cases[0]?.model ?? "", "base64"));
  const { model } = await importModel(at("zoo.caffemodel"), at("zoo"), {});
  assert.equal(model.preprocessing.deviation[0], 1 / 255);
  const classifier = await openClassifier(at("zoo"), { threads: 1 });
  classifier.close();
  await assert.rejects(exportModel(at("run"), at("x.caffemodel")), /^ConfigError: .*unknown file extension/);
});

test("a file written by export as safetensors needs nothing else to be imported", async () => {
  await exportModel(at("run"), at("alone.safetensors"));
  const { model, assumptions } = await importModel(at("alone.safetensors"), at("alone"), {});
  assert.deepEqual([model.network.name, model.classNames[9], assumptions], ["tiny", "Ankle boot", []]);
});

test("an import that is aborted leaves no directory", async () => {
  await exportModel(at("run"), at("stopped.pth"));
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(importModel(at("stopped.pth"), at("stopped"), { like: at("run"), signal }), /^Error: enough$/);
  assert.ok(!(await readdir(folder)).includes("stopped"));
});

test("weights alone: the network gets their classes, and what was assumed is said", async () => {
  await exportModel(at("run"), at("weights.pth"));
  const network = {
    ...tinyNetwork,
    layers: tinyNetwork.layers.with(-1, { ...tinyNetwork.layers.at(-1), outFeatures: 77 } as never),
  };
  const { model, assumptions } = await importModel(at("weights.pth"), at("weights"), { network });
  assert.deepEqual(model.classNames.slice(8), ["class 8", "class 9"]);
  assert.deepEqual(
    [model.preprocessing.fit.kind, model.preprocessing.mean, model.preprocessing.deviation],
    ["resize", [0], [1]],
  );
  assert.deepEqual(
    assumptions.map((assumption) => assumption.split(":")[0]),
    ["head", "class names", "preprocessing"],
  );
  await writeFile(at("names.txt"), "a\r\nb\n");
  await assert.rejects(
    importModel(at("weights.pth"), at("never"), { network, classes: at("names.txt") }),
    /names\.txt: expected 10 class names .*, got 2/,
  );
  await assert.rejects(
    importModel(at("weights.pth"), at("never"), { network, mean: [0.5, 0.5] }),
    /mean: expected one number/,
  );
  await assert.rejects(importModel(at("weights.pth"), at("never"), { network, deviation: [0] }), ConfigError);
});

test("pixel statistics of 0 to 255 are those of 0 to 1, which is said; what was said is not among the assumptions", async () => {
  const network = tinyNetwork;
  const said = { network, head: "softmax", classes: at("ten.txt"), fit: "resize", filter: "bilinear" } as const;
  await writeFile(at("ten.txt"), Array.from({ length: 10 }, (_, i) => `name ${i}\n`).join(""));
  const levels = { mean: [63.75], deviation: [127.5] };
  const found = await importModel(at("weights.pth"), at("levels"), { ...said, ...levels });
  assert.deepEqual([found.model.preprocessing.mean, found.model.preprocessing.deviation], [[0.25], [0.5]]);
  assert.deepEqual(found.assumptions, []);
  assert.deepEqual(found.notes, [
    "converted from the scale of 0 to 255: mean 63.75, deviation 127.5 to mean 0.25, deviation 0.5",
  ]);
  const unit = await importModel(at("weights.pth"), at("unit"), { ...said, mean: [0.25], deviation: [0.5] });
  assert.deepEqual([unit.model.preprocessing, unit.notes], [found.model.preprocessing, []]);
  const { fit: _, ...withoutFit } = { ...said, ...levels };
  const part = await importModel(at("weights.pth"), at("part"), withoutFit);
  assert.deepEqual(part.assumptions, ["preprocessing: fit resize; --fit sets it"]);
  const none = await importModel(at("weights.pth"), at("none"), { network, head: "softmax", classes: said.classes });
  assert.deepEqual(none.assumptions, [
    "preprocessing: fit resize, bilinear, mean 0, deviation 1; --fit, --filter, --mean and --deviation set it",
  ]);
  const mixed = { ...said, mean: [63.75], deviation: [0.5] };
  await assert.rejects(importModel(at("weights.pth"), at("never"), mixed), /^ConfigError: .*expected one scale/);
  const args = ["--run", at("levels-cli"), "--like", at("run"), "--mean", "63.75", "--deviation", "127.5"];
  const { exit, stdout } = await runMain("import", at("weights.pth"), ...args, "--json");
  const printed = JSON.parse(stdout);
  assert.deepEqual([exit, printed.notes, printed.preprocessing.mean], [0, found.notes, [0.25]]);
});

test("what does not fit is listed whole, and no directory is left behind", async () => {
  const before = await readdir(folder);
  await assert.rejects(importModel(at("weights.pth"), at("a/b"), { network: "alexnet-fashion" }), (error: Error) => {
    assert.ok(error instanceof CheckpointError);
    assert.match(error.message, /^\S+weights\.pth: \d+ tensors do not match:\n/);
    assert.match(
      error.message,
      /: missing, expected \[96, 1, 11, 11\]|: expected \[96, 1, 11, 11\], got \[8, 1, 5, 5\]/,
    );
    return true;
  });
  await assert.rejects(importModel(at("weights.pth"), at("c"), {}), /unknown network/);
  await assert.rejects(importModel(at("names.txt"), at("c"), {}), /unknown file extension.*--format/);
  await assert.rejects(importModel(at("names.txt"), at("c"), { format: "pytorch" }), DataError);
  await assert.rejects(
    importModel(at("gone.pth"), at("c"), { network: "alexnet" }),
    /gone\.pth: cannot be read: .*no such file/,
  );
  assert.deepEqual(await readdir(folder), before);
});

test("neither a run nor a file is replaced", async () => {
  const weights = await readFile(at("run/last.safetensors"));
  await assert.rejects(importModel(at("weights.pth"), at("run"), { like: at("run") }), /the directory contains a run/);
  await assert.rejects(exportModel(at("run"), at("weights.pth")), /weights\.pth: already exists/);
  await assert.rejects(
    exportModel(at("run"), at("nowhere/x.pth")),
    /nowhere\/x\.pth: folder \S+nowhere does not exist; create it/,
  );
  await assert.rejects(exportModel(at("run"), at("x.xyz")), /unknown file extension/);
  await assert.rejects(exportModel(at("run"), at("x.pth"), { names: "mine" }), /expected one of torchvision, layers/);
  await assert.rejects(
    exportModel(at("run"), at("x.onnx"), { names: "torchvision" }),
    /names "torchvision": expected one of layers for format onnx/,
  );
  await assert.rejects(
    exportModel(at("run"), at("x.pth"), { flags: new Set(["y"]) }),
    /--y: format pytorch has no such flag/,
  );
  assert.deepEqual(await readFile(at("run/last.safetensors")), weights);
  assert.ok(!(await readdir(folder)).some((name) => name.startsWith("x.") || name.includes("tmp")));
});

test("damaged weights are not exported", async () => {
  await mkdir(at("damaged"));
  await cp(at("run/best.safetensors"), at("damaged/best.safetensors"));
  const bytes = await readFile(at("damaged/best.safetensors"));
  bytes[bytes.length - 50] = (bytes[bytes.length - 50] as number) ^ 1;
  await writeFile(at("damaged/best.safetensors"), bytes);
  await assert.rejects(exportModel(at("damaged"), at("damaged.pth")), /its checksum differs/);
  await assert.rejects(importModel(at("damaged/best.safetensors"), at("d"), {}), /its checksum differs/);
  assert.ok(!(await readdir(folder)).includes("damaged.pth"));
});

test("verify: dropout that stays active is left out; other weights are found different; another network is refused", async () => {
  await exportModel(at("drawing"), at("drawing.pth"));
  assert.equal((await verifyModel(at("drawing"), at("drawing.pth"), { threads: 1 })).largestDifference, 0);
  await writeChanged(at("changed.pth"));
  const { largestDifference, largestOutput, relativeDifference } = await verifyModel(at("run"), at("changed.pth"));
  // A bias of the last layer is 1 more.
  assertClose([largestDifference], [1], { absolute: 1e-6 }, "difference");
  assert.equal(relativeDifference, largestDifference / largestOutput);
  await assert.rejects(verifyModel(at("run"), at("drawing.pth"), { threads: 1 }), /tensors? do(?:es)? not match/);
});

test("the commands: what they print, and how they end", async () => {
  const exported = await runMain("export", at("run"), "--output", at("cli.pt"));
  assert.equal(exported.exit, 0);
  assert.match(exported.stdout, /best\.safetensors: tiny\n.*cli\.pt: pytorch, 6 tensors, \d+(?:\.\d+)? kB\n$/);
  const verified = await runMain("verify", at("run"), at("cli.pt"), "--images", "3", "--json");
  assert.equal(verified.exit, 0);
  assert.deepEqual(JSON.parse(verified.stdout).agrees, true);
  const imported = await runMain(
    "import",
    at("cli.pt"),
    "--network",
    at("tiny.json"),
    "--run",
    at("cli"),
    "--mean",
    "0.25",
    "--json",
  );
  assert.equal(imported.exit, 0);
  const { network, preprocessing, weights } = JSON.parse(imported.stdout);
  assert.deepEqual([network, preprocessing.mean, weights], ["tiny", [0.25], at("cli/last.safetensors")]);
  assert.equal((await runMain("verify", at("run"), at("changed.pth"))).exit, 1);
  const refused = await runMain("verify", at("run"), at("changed.pth"), "--checks", "2");
  assert.equal(refused.exit, 2);
  assert.match(refused.stderr, /--checks, --classes and --input-size require --gradients/);
  assert.equal((await runMain("verify", at("run"), at("changed.pth"), "--tolerance", "1000")).exit, 0);
  assert.equal((await runMain("export", at("run"))).exit, 2);
  assert.equal((await runMain("import", at("cli.pt"), "--run", at("z"), "--mean", "a,b")).exit, 2);
  assert.equal((await runMain("export", at("run"), "--output", at("cli.pt"))).exit, 1);
});
