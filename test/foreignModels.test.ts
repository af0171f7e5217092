/** Predictions and evaluations of other programs' files, without an import into a run directory. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { exportModel } from "../src/exchange/exportModel.ts";
import { type ForeignFacts, foreignModels } from "../src/exchange/foreignModels.ts";
import { importModel } from "../src/exchange/importModel.ts";
import { verifyModel } from "../src/exchange/verifyModel.ts";
import { drawActivations } from "../src/explain/activationFigure.ts";
import { drawFilters } from "../src/explain/filterFigure.ts";
import { mapPictures } from "../src/explain/map.ts";
import { measureSaliency } from "../src/explain/saliency.ts";
import { findSimilar } from "../src/explain/similar.ts";
import { writeSafetensorsFile } from "../src/formats/tensorFiles.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { readModel, writeModel } from "../src/model/modelFile.ts";
import { findNetworkOrRun } from "../src/model/networkOrRun.ts";
import { predictFiles } from "../src/model/predictFiles.ts";
import { builtCommand, start } from "./command.ts";
import { drawn } from "./golden.ts";
import { smallNetwork, weighted } from "./onnxNetworks.ts";

const folder = await mkdtemp(join(tmpdir(), "foreign-"));
after(() => rm(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

const network = smallNetwork(3);
const classNames = ["blue", "green", "red"];
const preprocessing = {
  size: [8, 8] as [number, number],
  channels: 3 as const,
  fit: { kind: "resize" as const },
  resize: "bilinear" as const,
  mean: [0.5, 0.4, 0.3],
  deviation: [0.2, 0.3, 0.4],
};
const { values } = weighted(network);
await writeModel(at("own.safetensors"), {
  ...{ network, classNames, preprocessing, weights: values },
  ...{ metrics: {}, precision: "f32", exact: true },
});
for (const ending of ["onnx", "pth"]) await exportModel(at("own.safetensors"), at(`file.${ending}`));
const { weights } = await readModel(at("own.safetensors"));
const shapes: Readonly<Record<string, readonly number[]>> = {
  ...{ "conv1.weight": [4, 3, 3, 3], "conv1.bias": [4] },
  ...{ "fc2.weight": [3, 144], "fc2.bias": [3] },
};
const tensors = new Map(
  [...weights].map(([name, data]) => [name, { shape: shapes[name] as readonly number[], values: data }]),
);
await writeSafetensorsFile(at("other.safetensors"), tensors);
await writeFile(at("net.json"), JSON.stringify(network));
await writeFile(at("names.txt"), classNames.join("\n"));
await mkdir(at("hub"));
await cp(at("other.safetensors"), at("hub/model.safetensors"));
await writeFile(
  at("hub/config.json"),
  JSON.stringify({ model_type: "x", id2label: { 0: "blue", 1: "green", 2: "red" } }),
);
await writeFile(
  at("hub/preprocessor_config.json"),
  JSON.stringify({
    ...{ do_normalize: true, do_rescale: true, do_resize: true, resample: 2, size: { height: 8, width: 8 } },
    ...{ image_mean: [0.5, 0.4, 0.3], image_std: [0.2, 0.3, 0.4], rescale_factor: 1 / 255 },
  }),
);
for (const name of classNames) {
  await mkdir(at(`photos/${name}`), { recursive: true });
  for (const i of [0, 1]) {
    const data = Uint8Array.from(drawn(4, `${name} ${i}`, 300, 0, 256));
    await writeFile(at(`photos/${name}/${i}.png`), await encodePng({ width: 10, height: 10, channels: 3, data }));
  }
}

const stated: ForeignFacts = {
  ...{ network, classes: at("names.txt"), head: "softmax", fit: "resize" },
  ...{ mean: [0.5, 0.4, 0.3], deviation: [0.2, 0.3, 0.4] },
};
const files: Readonly<Record<string, ForeignFacts>> = {
  "file.onnx": {},
  "file.pth": stated,
  "other.safetensors": stated,
  hub: { network, head: "softmax" },
};

async function scoresOf(path: string, facts?: ForeignFacts) {
  const classifier = await openClassifier(path, facts ? { openSource: foreignModels(facts) } : {});
  try {
    const predicted = await classifier.predict(at("photos/red/0.png"));
    const { top1Accuracy, loss } = (await classifier.evaluate({ dataset: at("photos") })) ?? {};
    return { predicted, top1Accuracy, loss };
  } finally {
    await classifier.close();
  }
}

describe("another program's file predicts and evaluates as the run that it came from", () => {
  for (const [name, facts] of Object.entries(files)) {
    it(name, async () => {
      assert.deepEqual(await scoresOf(at(name), facts), await scoresOf(at("own.safetensors")));
    });
  }

  it("with --like, many files and an ensemble", async () => {
    const openSource = foreignModels({ like: at("own.safetensors") });
    const batches: unknown[] = [];
    for await (const batch of predictFiles(at("file.pth"), [at("photos/red/0.png")], { openSource, batchSize: 1 }))
      batches.push(...batch);
    const { predicted } = await scoresOf(at("own.safetensors"));
    assert.deepEqual(batches, [{ file: at("photos/red/0.png"), classes: predicted }]);
    const both = await evaluateEnsemble([at("file.pth"), at("other.safetensors")], {
      openSource,
      dataset: at("photos"),
    });
    assert.equal(both?.top1Accuracy, (await scoresOf(at("own.safetensors"))).top1Accuracy);
  });
});

describe("facts", () => {
  const refusals: readonly (readonly [string, ForeignFacts, RegExp])[] = [
    [
      "file.pth",
      {},
      /file\.pth: the file does not state everything that predictions need; add --network, --head, --classes, --fit, --mean, --deviation, or --like RUN/,
    ],
    ["file.pth", { ...stated, head: undefined } as unknown as ForeignFacts, /need; add --head$/],
    ["other.safetensors", { network, fit: "resize" }, /need; add --classes, --mean, --deviation, or --like RUN/],
    [
      "own.safetensors",
      { fit: "resize" },
      /own\.safetensors: expected no --fit, since the file states its own; remove it/,
    ],
  ];
  for (const [name, facts, message] of refusals) {
    it(`that are missing or not needed are named: ${name}, ${Object.keys(facts).join(", ") || "none"}`, async () => {
      await assert.rejects(openClassifier(at(name), { openSource: foreignModels(facts) }), message);
    });
  }
});

it("saliency, activations, maps and similar images are those of the run", async () => {
  const openSource = foreignModels(stated);
  const image = at("photos/red/0.png");
  const [own, other] = [at("own.safetensors"), at("file.pth")];
  assert.deepEqual(await measureSaliency(other, image, { openSource }), await measureSaliency(own, image));
  assert.deepEqual(await drawActivations(other, image, { openSource }), await drawActivations(own, image));
  const folderOf = { folder: at("photos"), method: "pca" } as const;
  assert.deepEqual(await mapPictures(other, { ...folderOf, openSource }), await mapPictures(own, folderOf));
  assert.deepEqual(
    await findSimilar(other, at("photos"), [image], { openSource }),
    await findSimilar(own, at("photos"), [image]),
  );
});

it("commands that need a run name the import", async () => {
  const importing = (name: string) => new RegExp(`${name.replace(".", "\\.")}.*alexnet import .*${name} --run DIR`);
  for (const name of ["file.onnx", "file.pth", "other.safetensors", "hub"]) {
    await assert.rejects(drawFilters(at(name)), importing(name));
    await assert.rejects(exportModel(at(name), at("x.onnx")), importing(name));
    await assert.rejects(findNetworkOrRun(at(name)), importing(name));
    await assert.rejects(verifyModel(at(name), at("file.onnx")), importing(name));
    await assert.rejects(importModel(at("file.pth"), at("run"), { like: at(name) }), importing(name));
  }
});

it("the commands take them", async () => {
  const command = await builtCommand();
  const run = async (...args: readonly string[]) => (await start([command, ...args], { cwd: folder })).outcome;
  const own = await run("predict", "own.safetensors", "photos/red/0.png", "--json");
  assert.equal(own.exit, 0, own.stderr);
  const onnx = await run("predict", "file.onnx", "photos/red/0.png", "--json");
  assert.deepEqual([onnx.exit, onnx.stdout], [0, own.stdout], onnx.stderr);
  const flags =
    "--network net.json --classes names.txt --head softmax --fit resize --mean 0.5,0.4,0.3 --deviation 0.2,0.3,0.4";
  const measured = await run("evaluate", "file.pth", "--dataset", "photos", "--json", ...flags.split(" "));
  assert.equal(measured.exit, 0, measured.stderr);
  const expected = await run("evaluate", "own.safetensors", "--dataset", "photos", "--json");
  assert.equal(JSON.parse(measured.stdout).loss, JSON.parse(expected.stdout).loss);
  const without = await run("evaluate", "file.pth", "--dataset", "photos");
  assert.equal(without.exit, 1);
  assert.match(without.stderr, /add --network, --head, --classes, --fit, --mean, --deviation, or --like RUN/);
  const explained = await run("saliency", "file.pth", "photos/red/0.png", "--json", ...flags.split(" "));
  assert.equal(explained.exit, 0, explained.stderr);
  const hub = await run("import", "hub", "--network", "net.json", "--run", "imported");
  assert.equal(hub.exit, 0, hub.stderr);
});
