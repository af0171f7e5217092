/** Runs that begin with the weights of others: what is taken, what is frozen, and features that are kept. Longer than other files: all begin with one run. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import type { Split } from "../src/dataset/dataset.ts";
import { type AlexNetError, CheckpointError, ConfigError } from "../src/errors.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { conv2d, dropout, flatten, linear, localResponseNorm, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { Network } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { readRunConfig } from "../src/settings/runConfig.ts";
import { withFeatures } from "../src/trainer/featureCache.ts";
import { type TrainOptions, type TrainResult, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { assertClose } from "./assertClose.ts";
import { lastWeights, timelessLog } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";
import { writeFiles } from "./writeFiles.ts";

const network: Network = {
  name: "tiny",
  source: "",
  deviations: [],
  input: [3, 24, 24],
  layers: [
    conv2d("conv1", { outChannels: 8, kernelSize: 5, stride: 2 }),
    relu("relu1"),
    localResponseNorm("norm1"),
    conv2d("conv2", { outChannels: 8, kernelSize: 3, padding: 1 }),
    relu("relu2"),
    maxPool2d("pool2", { kernelSize: 2, stride: 2 }),
    flatten("flatten"),
    linear("fc3", { outFeatures: 16 }),
    relu("relu3"),
    dropout("drop3", { probability: 0.25 }),
    linear("fc4", { outFeatures: 4 }),
  ] as readonly AnyLayer[],
};

let base: string;
let few: string;
let source: TrainResult;
const cacheBefore = process.env["XDG_CACHE_HOME"];
before(async () => {
  base = await mkdtemp(join(tmpdir(), "alexnet-tuning-"));
  process.env["XDG_CACHE_HOME"] = join(base, "cache");
  await writeFiles(join(base, "many"), await pictures([0, 1, 2, 3], 20));
  few = join(base, "few");
  await writeFiles(few, await pictures([4, 5, 6], 12));
  source = await train("source", { dataset: join(base, "many"), network, epochs: 6 });
});
after(async () => {
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
  await rm(base, { recursive: true });
});

/** Noise, in which the place of a bright square is the class. */
async function pictures(places: readonly number[], each: number): Promise<[path: string, content: Uint8Array][]> {
  const files: [string, Uint8Array][] = [];
  for (const place of places) {
    for (let i = 0; i < each; i++) {
      const words = new Uint32Array(28 * 28 * 3);
      fillWords(randomStream(i, `place ${place}`), 0, words);
      const data = Uint8Array.from(words, (word, k) => {
        const [x, y] = [Math.floor(k / 3) % 28, Math.floor(k / 84)];
        const isBright = Math.floor(x / 10) === place % 3 && Math.floor(y / 10) === Math.floor(place / 3);
        return (word >>> 25) + (isBright ? 110 : 0);
      });
      files.push([`place${place}/${i}.png`, await encodePng({ width: 28, height: 28, channels: 3, data })]);
    }
  }
  return files;
}

function train(run: string, options: TrainOptions = {}): Promise<TrainResult> {
  return trainWithoutReport({
    dataset: few,
    recipe: "photos",
    fit: "resize",
    augment: [],
    epochs: 4,
    batchSize: 8,
    threads: 1,
    precision: "f32",
    exact: true,
    run: join(base, run),
    ...options,
  });
}

/** A fine-tuned run, with what is said of its input left to the weights. */
function tune(run: string, { fit, ...options }: TrainOptions = {}, train = trainWithoutReport): Promise<TrainResult> {
  return train({
    dataset: few,
    from: source.run,
    recipe: "photos",
    epochs: 4,
    batchSize: 8,
    threads: 1,
    precision: "f32",
    exact: true,
    run: join(base, run),
    ...(fit ? { fit } : {}),
    ...options,
  });
}

/** The tensors of a weights file, by their names in the network. */
async function tensorsOf(file: string): Promise<ReadonlyMap<string, Float32Array>> {
  const stored = new Map([...tensorNames(network)].map(([name, key]) => [key, name]));
  const tensors = new Map<string, Float32Array>();
  await withReader(file, (reader) =>
    reader.stream(async (name, values) => {
      tensors.set(stored.get(name) as string, values.slice());
    }),
  );
  return tensors;
}

const isOf = (layer: string) => (name: string) => name.startsWith(`${layer}.`);

test("takes what fits, begins the head anew, and keeps the preprocessing of the weights", async () => {
  const { run } = await tune("tuned", { augment: [] });
  const [config, origin] = [await readRunConfig(run), await readRunConfig(source.run)];
  assert.ok(config?.fineTuning && origin);
  const { taken, fresh, frozen, file, checksum } = config.fineTuning;
  assert.deepEqual(taken, ["conv1", "conv2", "fc3"]);
  assert.deepEqual(fresh, [
    { layer: "fc4", reason: "weight [3, 16] here, [4, 16] in the file; bias [3] here, [4] in the file" },
  ]);
  assert.deepEqual(frozen, []);
  assert.equal(file, join(source.run, "best.safetensors"));
  assert.match(checksum, /^[0-9a-f]{64}$/);
  assert.deepEqual(config.preprocessing, origin.preprocessing);
  assert.equal(config.recipe.fit, "resize");
  assert.deepEqual(config.network.input, network.input);
});

test("another size, scale or fit is taken where it is asked for; layers that no longer fit begin anew", async () => {
  const { run } = await tune("other", {
    inputSize: 28,
    fit: "crop",
    normalization: "unit",
    epochs: 1,
    oldLayersRate: 0,
  });
  const config = await readRunConfig(run);
  assert.deepEqual(config?.fineTuning?.taken, ["conv1", "conv2"]);
  assert.deepEqual(
    config?.fineTuning?.fresh.map(({ layer }) => layer),
    ["fc3", "fc4"],
  );
  assert.deepEqual(config?.preprocessing.mean, [0, 0, 0]);
  assert.deepEqual(config?.preprocessing.size, [28, 28]);
  assert.equal(config?.preprocessing.fit.kind, "crop");
  const [before, after] = [
    await tensorsOf(config?.fineTuning?.file as string),
    await tensorsOf(join(run, "last.safetensors")),
  ];
  // At a rate of 0 the old layers stay, which shows both that they were taken and that the rate is theirs alone.
  for (const name of ["conv1.weight", "conv2.bias"]) assert.deepEqual(after.get(name), before.get(name), name);
});

test("with another network the pictures' own size may be asked for, and the scale of pixels keeps its name", async () => {
  const symmetric = await train("symmetric", {
    dataset: join(base, "many"),
    network,
    epochs: 0.2,
    normalization: "symmetric",
  });
  const { run } = await tune("native", { from: symmetric.run, network, fit: "native", epochs: 0.2 });
  const config = await readRunConfig(run);
  assert.deepEqual(config?.preprocessing.size, [28, 28]);
  assert.equal(config?.recipe.normalization, "symmetric");
  assert.deepEqual(
    [config?.preprocessing.mean, config?.preprocessing.deviation],
    [
      [0.5, 0.5, 0.5],
      [0.5, 0.5, 0.5],
    ],
  );
  const { run: back } = await tune("resized", { from: run, network, fit: "resize", epochs: 0.2 });
  assert.deepEqual((await readRunConfig(back))?.preprocessing.size, [28, 28], "that of the weights");
});

test("the head is kept where the classes are the same, and begins anew where others are as many", async () => {
  const same = await tune("same", { dataset: join(base, "many"), epochs: 0.2 });
  assert.deepEqual((await readRunConfig(same.run))?.fineTuning?.fresh, []);
  const others = join(base, "others");
  await writeFiles(others, await pictures([4, 5, 6, 7], 5));
  const other = await tune("others-run", { dataset: others, epochs: 0.2 });
  assert.deepEqual((await readRunConfig(other.run))?.fineTuning?.fresh, [{ layer: "fc4", reason: "other classes" }]);
});

test("kept features train the head as frozen layers in the whole network do, and both make a whole network", async () => {
  const messages: string[] = [];
  const counts: number[] = [];
  const observer = { onMessage: (text: string) => messages.push(text), onFeatures: (n: number) => counts.push(n) };
  const kept = await tune("kept", { freeze: ["conv"], observer });
  const whole = await tune("whole", { freeze: ["conv"], keptViews: 0, augment: [], fit: "resize" });
  assert.ok(
    messages.some((text) => /^cached conv1 … flatten features of 36 images/.test(text)),
    messages.join("\n"),
  );
  assert.ok(counts.includes(8), "progress is told");
  const [a, b] = [await timelessLog(kept.run), await timelessLog(whole.run)];
  assert.equal(a.length, b.length);
  for (const [i, entry] of a.entries()) {
    // What is kept is rounded to f32 once more at most: 2^-24 a number, and 20 steps of a loss of about 1.
    assertClose([entry.trainLoss as number], [b[i]?.trainLoss as number], { relative: 1e-5 }, `loss of line ${i}`);
  }
  const before = await tensorsOf(join(source.run, "best.safetensors"));
  for (const { run } of [kept, whole]) {
    const after = await tensorsOf(join(run, "last.safetensors"));
    assert.deepEqual([...after.keys()].sort(), [...tensorNames(network).keys()].sort());
    for (const [name, values] of after) {
      if (isOf("conv1")(name) || isOf("conv2")(name)) assert.deepEqual(values, before.get(name), `${name} is frozen`);
      else if (isOf("fc3")(name)) assert.notDeepEqual(values, before.get(name), `${name} is trained`);
    }
    const classifier = await openClassifier(join(run, "last.safetensors"), { threads: 1, batchSize: 8 });
    const evaluation = await classifier.evaluate();
    classifier.close();
    const { testAccuracy } = (await timelessLog(run)).at(-1) ?? {};
    assert.equal(evaluation?.top1Accuracy, testAccuracy, "the whole network answers as the head did on features");
  }
  const again = await tune("again", { freeze: ["conv"], observer });
  assert.ok(messages.includes("using the cached conv1 … flatten features"));
  assert.deepEqual(await lastWeights(again.run), await lastWeights(kept.run));
  await rm(join(base, "cache/alexnet/packs"), { recursive: true });
  const anew = await tune("anew", { freeze: ["conv"] });
  assert.deepEqual(await lastWeights(anew.run), await lastWeights(kept.run), "what is kept can be deleted");
});

test("random views are kept as the first epochs would see them", async () => {
  const settings = { freeze: ["conv1"], augment: ["flip", "shift"], epochs: 2 } as const;
  const kept = await tune("views", { ...settings, keptViews: 2 });
  const whole = await tune("views-whole", { ...settings, keptViews: 0 });
  const [a, b] = [await timelessLog(kept.run), await timelessLog(whole.run)];
  for (const [i, entry] of a.entries()) {
    // As above.
    assertClose([entry.trainLoss as number], [b[i]?.trainLoss as number], { relative: 1e-5 }, `loss of line ${i}`);
  }
});

test("a run with kept features resumes to the bit, its features deleted or not, in the middle of an epoch", async () => {
  const settings = { freeze: ["conv"], augment: ["flip"], keptViews: 2, epochs: 4 } as const;
  const undisturbed = await tune("undisturbed", settings);
  for (const isDeleted of [false, true]) {
    const stop = new AbortController();
    const run = isDeleted ? "stopped" : "stopped-too";
    const stopped = await tune(run, {
      ...settings,
      signal: stop.signal,
      observer: { onProgress: ({ images }) => void (images >= 40 && stop.abort()) },
    });
    assert.equal(stopped.end, "interrupt");
    if (isDeleted) await rm(join(base, "cache/alexnet/packs"), { recursive: true });
    const { end } = await tune(run, { ...settings, resume: true }, trainClassifier);
    assert.equal(end, "finished");
    assert.deepEqual(await lastWeights(join(base, run)), await lastWeights(undisturbed.run));
    assert.deepEqual(await timelessLog(join(base, run)), await timelessLog(undisturbed.run));
  }
  await assert.rejects(
    tune("stopped", { ...settings, freeze: ["conv1"], resume: true }),
    /--freeze is conv1, the run was started with conv1,conv2/,
  );
  await assert.rejects(
    tune("stopped", { ...settings, oldLayersRate: 1, resume: true }),
    /--old-layers-rate is 1, the run was started with 0.1/,
  );
});

test("without flags, epochs, batches and schedule follow from the number of images: said, stored, and kept on resume", async () => {
  const messages: string[] = [];
  const part = async (until: number, options: TrainOptions = {}) => {
    const stop = new AbortController();
    const observer = {
      onMessage: (message: string) => void messages.push(message),
      onProgress: ({ images }: { readonly images: number }) => void (images >= until && stop.abort()),
    };
    const run = join(base, "sized");
    const given = { dataset: few, from: source.run, threads: 1, precision: "f32", exact: true } as const;
    const { end } = await trainClassifier({ ...given, run, signal: stop.signal, observer, ...options });
    assert.equal(end, "interrupt");
    const { epochs, batchSize, schedule, learningRate } = (await readRunConfig(run))?.recipe ?? {};
    return { epochs, batchSize, schedule, learningRate };
  };
  const started = await part(8, { learningRate: 0.02 });
  assert.deepEqual(started, {
    epochs: 40,
    batchSize: 8,
    schedule: { kind: "cosine", floor: 0 },
    learningRate: 0.02,
  });
  const said = messages.filter((message) => message.startsWith("fine-tuning: "));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /^fine-tuning: 40 epochs, batches of 8, cosine schedule \(defaults for \d+ images\)$/);
  messages.length = 0;
  assert.deepEqual(await part(16, { resume: true }), started);
  assert.deepEqual(
    messages.filter((message) => message.startsWith("fine-tuning: ")),
    [],
  );
});

test("a run that froze nothing takes no freezing as no change on resume, and another one as one", async () => {
  const settings = { dataset: join(base, "many"), network, epochs: 6, resume: true };
  assert.equal((await train("source", { ...settings, freeze: ["none"] })).end, "already finished");
  await assert.rejects(
    train("source", { ...settings, freeze: ["conv"] }),
    /--freeze is conv1,conv2, the run was started with none/,
  );
});

test("stopped while features are computed: no run is left, and what was computed stays", async () => {
  await rm(join(base, "cache/alexnet/packs"), { recursive: true, force: true });
  const stop = new AbortController();
  const observer = { onFeatures: (done: number) => void (done >= 16 && stop.abort()) };
  await assert.rejects(tune("early", { freeze: ["conv"], signal: stop.signal, observer }), { name: "AbortError" });
  assert.ok(!(await readdir(base)).includes("early"));
  let first = -1;
  const watching = {
    onFeatures(done: number) {
      if (first < 0) first = done;
    },
  };
  const late = await tune("early", { freeze: ["conv"], observer: watching });
  assert.equal(first, 16);
  assert.deepEqual(await lastWeights(late.run), await lastWeights(join(base, "kept")));
});

test("stopped while it is found out which pictures there are, it stops at the next batch", async () => {
  const config = await readRunConfig(source.run);
  assert.ok(config);
  const stop = new AbortController();
  let seen = 0;
  const split: Split = {
    length: 1000,
    label: () => 0,
    image() {
      // As a signal of the system, which is told between two turns of the loop of events.
      if (++seen === 3) setImmediate(() => stop.abort());
      return { width: 1, height: 1, channels: 3, data: new Uint8Array(3) };
    },
  };
  const part = {
    key: "",
    what: "",
    batchSize: 8,
    threads: 1,
    outputShape: [1],
    program: () => assert.fail("computed"),
  };
  await assert.rejects(withFeatures(split, part, { config, views: 1, signal: stop.signal }), { name: "AbortError" });
  assert.equal(seen, 8);
});

const refused: readonly (readonly [what: string, options: TrainOptions, message: RegExp, kind: typeof AlexNetError])[] =
  [
    [
      "no such layer",
      { freeze: ["conv9"] },
      /--freeze: no layer "conv9" in tiny; expected conv, none, or some of conv1, conv2, fc3, fc4/,
      ConfigError,
    ],
    ["a new layer frozen", { freeze: ["fc4"] }, /--freeze: fc4: the file has no weights that fit/, ConfigError],
    [
      "everything frozen",
      { dataset: "many", freeze: ["conv", "fc3", "fc4"] },
      /all layers of tiny with weights are frozen/,
      ConfigError,
    ],
    [
      "nothing to keep",
      { freeze: ["fc3"], keptViews: 2 },
      /--kept-views: expected frozen layers at the start of the network/,
      ConfigError,
    ],
    [
      "one view that is random",
      { freeze: ["conv"], keptViews: 1, augment: ["flip"] },
      /--augment flip: expected --kept-views 0 or more than 1/,
      ConfigError,
    ],
    [
      "another network",
      {
        network: {
          ...network,
          name: "unlike",
          layers: [
            conv2d("conv1", { outChannels: 4, kernelSize: 3 }),
            flatten("f"),
            linear("fc9", { outFeatures: 3 }),
          ] as readonly AnyLayer[],
        },
      },
      /for some layers of unlike, but none fits; choose the weights' own network \(tiny\), or other weights:\n {2}conv1: weight \[4, 3, 3, 3\] here, \[8, 3, 5, 5\] in the file; bias \[4\] here, \[8\] in the file\n {2}fc9: no weight in the file; no bias in the file/,
      ConfigError,
    ],
    ["no such file", { from: "nowhere" }, /nowhere: no such file or folder/, CheckpointError],
  ];
for (const [what, options, message, kind] of refused) {
  test(`refused: ${what}`, async () => {
    const dataset = typeof options.dataset !== "string" ? {} : { dataset: join(base, options.dataset) };
    await assert.rejects(tune("refused", { ...options, ...dataset }), (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, message);
      return true;
    });
    assert.ok(!(await readdir(base)).includes("refused"));
  });
}

test("refused: what means nothing without weights", async () => {
  await assert.rejects(
    train("refused", { network, freeze: ["conv"] }),
    /--freeze: requires initial weights; add --from/,
  );
});
