/** `export --int8` of a trained network: what it says is what ONNX Runtime measures, and what cannot be is refused. */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import { test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { CheckpointError, ConfigError } from "../src/errors.ts";
import { exportModel } from "../src/exchange/exportModel.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { writePytorch } from "../src/formats/pytorch/writePytorch.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { runMain } from "./mainOutput.ts";
import { runOnnx } from "./onnxRuntime.ts";
import { withTinyRun } from "./tinyRun.ts";
import { writeFiles } from "./writeFiles.ts";

const TEST_IMAGES = 500;
const at = withTinyRun(TEST_IMAGES);

const given = () => ({ threads: 1, dataDir: at("") });

test("the accuracy that it says is that of ONNX Runtime on the same pictures", async () => {
  const messages: string[] = [];
  const onMessage = (message: string) => messages.push(message);
  const flags = new Set(["pixels"]);
  const { int8, bytes } = await exportModel(at("run"), at("small.onnx"), { flags, int8: { ...given(), onMessage } });
  assert.ok(int8);
  assert.deepEqual(int8.calibration, { dataset: "fashion-mnist", images: 256 });
  assert.equal(bytes, (await stat(at("small.onnx"))).size);
  await exportModel(at("run"), at("f32.onnx"), { flags });
  assert.equal(int8.f32Bytes, (await stat(at("f32.onnx"))).size);
  // An idx file's header has 16 bytes for pictures, 8 for labels.
  const pixels = new Uint8Array((await readFile(at("t10k-images-idx3-ubyte"))).subarray(16));
  const labels = (await readFile(at("t10k-labels-idx1-ubyte"))).subarray(8);
  const predicted = async (name: string) => {
    const logits = await runOnnx(await readFile(at(name)), pixels, [TEST_IMAGES, 28, 28, 1]);
    return Array.from({ length: TEST_IMAGES }, (_, i) => {
      const row = logits.subarray(10 * i, 10 * i + 10);
      return row.indexOf(Math.max(...row));
    });
  };
  const [whole, small] = [await predicted("f32.onnx"), await predicted("small.onnx")];
  const correct = (classes: readonly number[]) => classes.filter((c, i) => c === labels[i]).length;
  const { images, f32, sameClass } = int8.test;
  assert.equal(images, TEST_IMAGES);
  assert.ok(f32.top1Accuracy > 0.5, `trained to ${f32.top1Accuracy}`);
  // Of 500 pictures, five may lie between two classes as near as sums in another order can move a number to its neighbour.
  const near = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) <= 5, `${actual}, ${expected}`);
  near(correct(whole), f32.top1Accuracy * images);
  near(correct(small), int8.test.int8.top1Accuracy * images);
  near(whole.filter((c, i) => c === small[i]).length, sameClass);
  assert.deepEqual(messages, []);
  await assert.rejects(
    verifyModel(at("run"), at("small.onnx"), { threads: 1 }),
    /^UnsupportedError: .*cannot import 8-bit weights/,
  );
});

test("the command prints sizes and accuracies, as a table or as JSON", async () => {
  const options = [
    "--int8",
    "--data-dir",
    at(""),
    "--threads",
    "1",
    "--calibration-images",
    "20",
    "--test-limit",
    "30",
  ];
  const { exit, stdout } = await runMain("export", at("run"), "--output", at("table.onnx"), ...options);
  assert.equal(exit, 0);
  assert.match(stdout, /\nf32 +\d.* kB +\d+\.\d %.*\nint8 +\d.* kB +\d+\.\d %/);
  assert.match(stdout, /Calibrated on 20 images of fashion-mnist; measured on 30 test images,/);
  const json = await runMain("export", at("run"), "--output", at("json.onnx"), ...options, "--json");
  const { int8 } = JSON.parse(json.stdout);
  assert.deepEqual([int8.calibration.images, int8.test.images], [20, 30]);
  assert.deepEqual(await readFile(at("table.onnx")), await readFile(at("json.onnx")));
  assert.equal((await runMain("export", at("run"), "--output", at("x.onnx"), "--test-limit", "3")).exit, 2);
});

test("pictures of a folder are calibrated on: those that training would take, grey or in colour", async () => {
  for (const channels of [1, 3] as const) {
    const files = await Promise.all(
      ["Bag", "Coat"].flatMap((name, label) =>
        Array.from({ length: 10 }, async (_, i) => {
          const data = new Uint8Array(28 * 28 * channels).map((_, p) => (p * (i + 3) + 90 * label) % 256);
          return [`${name}/${i}.png`, await encodePng({ width: 28, height: 28, channels, data })] as const;
        }),
      ),
    );
    const pictures = at(`pictures-${channels}`);
    await writeFiles(pictures, files);
    const int8 = { threads: 1, dataset: pictures };
    const exported = await exportModel(at("run"), at(`folder-${channels}.onnx`), { int8 });
    assert.equal(exported.int8?.calibration.images, 16);
    assert.equal(exported.int8?.test.images, 4);
  }
});

/** The run with a tensor of its hidden linear layer filled with a number, as another run. */
async function runWith(name: string, role: "weight" | "bias", value: number): Promise<string> {
  await withReader(at("run/best.safetensors"), (reader) =>
    writePytorch(at(`${name}.pth`), {
      tensors: reader.tensors,
      async read(tensor, into) {
        const values = await reader.read(tensor, into);
        return tensor === `classifier.0.${role}` ? values.fill(value) : values;
      },
    }),
  );
  await importModel(at(`${name}.pth`), at(name), { like: at("run") });
  return at(name);
}

test("a layer that gives nothing but 0 is named, and one that is not finite is refused", async () => {
  const messages: string[] = [];
  const int8 = {
    ...given(),
    dataset: "fashion-mnist",
    testLimit: 50,
    onMessage: (text: string) => messages.push(text),
  };
  const dead = await exportModel(await runWith("dead", "bias", -1e4), at("dead.onnx"), { int8 });
  assert.deepEqual(messages, ["relu2: all 0 on the calibration images, so it is always 0 in int8"]);
  assert.equal(dead.int8?.test.sameClass, 50);
  const refused = exportModel(await runWith("broken", "weight", 3e38), at("broken.onnx"), { int8 });
  await assert.rejects(
    refused,
    (e) => e instanceof CheckpointError && /^relu2: its outputs: expected finite values/.test(e.message),
  );
  await assert.rejects(stat(at("broken.onnx")), { code: "ENOENT" });
});

test("aborted while it calibrates, measures or writes: nothing is left", async () => {
  for (const what of ["calibrate", "test", "write"]) {
    const stop = new AbortController();
    let measured = 0;
    const onProgress = (step: string, images: number, of: number) => {
      if (step === "test" && images === of) measured++;
      // Measured twice, in f32 and in 8 bits; then the file is written.
      if (step === what || (what === "write" && measured === 2)) stop.abort();
    };
    const exporting = exportModel(at("run"), at("cut.onnx"), { int8: { ...given(), onProgress }, signal: stop.signal });
    await assert.rejects(exporting, { name: "AbortError" });
  }
  const names = await readdir(at(""));
  assert.deepEqual(
    names.filter((name) => name.startsWith("cut")),
    [],
  );
});

test("what cannot be is refused, and nothing is written", async () => {
  const write = (run: string, output: string, int8: object = {}) =>
    exportModel(at(run), at(output), { int8: { threads: 1, ...int8 } });
  await assert.rejects(
    write("run", "x.pth"),
    (e) => e instanceof ConfigError && /^--int8: format pytorch/.test(e.message),
  );
  const onProgress = () => assert.fail("computed before the output was looked at");
  await assert.rejects(
    write("run", "none/x.onnx", { ...given(), onProgress }),
    (e) => e instanceof ConfigError && /none\/x\.onnx: folder .*none does not exist; create it/.test(e.message),
  );
  await symlink(at("elsewhere.onnx"), at("link.onnx"));
  await assert.rejects(write("run", "link.onnx"), /link\.onnx: already exists/);
  await assert.rejects(write("run", "x.onnx", { dataset: at("nowhere") }), /nowhere: expected a folder of images/);
  await mkdir(at("alone"));
  await cp(at("run/best.safetensors"), at("alone/best.safetensors"));
  await assert.rejects(
    write("alone/best.safetensors", "x.onnx"),
    /give one with --dataset \(export: --calibrate; map: a folder of images\)/,
  );
  await assert.rejects(stat(at("x.onnx")), { code: "ENOENT" });
});
