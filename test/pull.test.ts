/** Published weights from a server of the test's own, or from a file, into the cache, and their name in place of a run. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { resolveModelFile } from "../src/checkpoint/checkpointFiles.ts";
import { loadModel } from "../src/checkpoint/model.ts";
import { pretrainedFile } from "../src/checkpoint/pretrainedFiles.ts";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { CheckpointError, ConfigError, DataError } from "../src/errors.ts";
import { findPretrained, type Pretrained, type PullOptions, pullModel } from "../src/exchange/pullModel.ts";
import { writePytorch } from "../src/formats/pytorch/writePytorch.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { preprocessingSchema } from "../src/image/prepare/preprocess.ts";
import { conv2d, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { classesOf, type Network, place } from "../src/network/network.ts";
import { tensorNames } from "../src/network/tensorNames.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { type MemoryStore, memoryStore } from "./checkpoints.ts";
import { builtCommand, run } from "./command.ts";
import { type LocalServer, serve } from "./localServer.ts";
import { writeFiles } from "./writeFiles.ts";

/** Takes pictures as torchvision's does, and has as few weights as can be. */
const network: Network = {
  name: "published",
  source: "",
  deviations: [],
  input: [3, 224, 224],
  layers: [
    conv2d("conv1", { outChannels: 2, kernelSize: 11, stride: 16 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 3 }),
  ] as readonly AnyLayer[],
};
const torchvision = findPretrained("torchvision");
const classNames = ["cat", "dog", "owl"];
const cutAt = 1000;

/** Weights of a network from -0.05 to 0.05, by the names that torchvision gives them. */
function weightsOf(of: Network): MemoryStore {
  const names = tensorNames(of);
  const store = memoryStore(
    place(of).flatMap(({ layer, parameters }) =>
      parameters.map(({ name, shape }) => ({ name: names.get(`${layer.name}.${name}`) as string, shape })),
    ),
  );
  for (const [name, values] of store.values) {
    const words = new Uint32Array(values.length);
    fillWords(randomStream(5, name), 0, words);
    for (const [i, word] of words.entries()) values[i] = word / 2 ** 32 / 10 - 0.05;
  }
  return store;
}

const store = weightsOf(network);
let folder = "";
let command = "";
let bytes: Buffer;
let server: LocalServer;
let asked: string[] = [];
let cut: () => void = () => {};
const at = (...names: readonly string[]) => join(folder, ...names);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-pull-"));
  command = await builtCommand();
  await writePytorch(at("published.pth"), store);
  bytes = await readFile(at("published.pth"));
  server = await serve((request, response) => {
    asked.push(`${request.url} ${request.headers.range ?? "all"}`);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (request.url === "/gone.pth") response.writeHead(404).end();
    else if (start > 0) {
      response.writeHead(206, { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
      response.end(bytes.subarray(start));
    } else if (request.url === "/cut.pth") {
      response.setHeader("Content-Length", bytes.length);
      response.write(bytes.subarray(0, cutAt));
      cut = () => response.destroy();
    } else response.end(bytes);
  });
});
beforeEach(() => {
  asked = [];
});
after(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");

function published(name = "weights.pth", content: Uint8Array = bytes): Pretrained {
  const archive = { url: `${server.url}/${name}`, sha256: sha256(content), bytes: content.length };
  return { ...torchvision, archive, model: { ...torchvision.model, network, classNames } };
}

/** Options for a cache of its own, and the folder of the weights in it. */
function cache(name: string): { readonly options: PullOptions; readonly place: string } {
  const cacheDir = at(name);
  return { options: { cacheDir }, place: dirname(pretrainedFile("torchvision", { cacheDir })) };
}

async function assertPulled(weights: string): Promise<void> {
  await withReader(weights, async (reader) => {
    await reader.verify();
    assert.equal(reader.header.metadata["source"], "torchvision.models.AlexNet_Weights.IMAGENET1K_V1");
    for (const { name } of store.tensors) assert.deepEqual(await reader.read(name), store.values.get(name), name);
  });
  const model = await loadModel(weights);
  assert.deepEqual(model.classNames, classNames);
  assert.deepEqual(model.preprocessing, torchvision.model.preprocessing);
  assert.deepEqual(model.metrics, { publishedTop1Accuracy: 0.56522, publishedTop5Accuracy: 0.79066 });
  assert.deepEqual(await readdir(dirname(weights)), [basename(weights)]);
}

test("torchvision's: address, checksum, network, classes and preprocessing go together", () => {
  const { archive, model } = torchvision;
  assert.ok("sha256" in archive && /^[0-9a-f]{64}$/.test(archive.sha256));
  assert.ok(archive.url.endsWith(`-${archive.sha256.slice(0, 8)}.pth`));
  assert.equal(classesOf(model.network), 1000);
  assert.equal(new Set(model.classNames).size, 1000);
  // By torchvision's documentation: the first, the last, and one in the middle.
  assert.deepEqual(
    [0, 281, 999].map((i) => model.classNames[i]),
    ["tench", "tabby", "toilet tissue"],
  );
  assert.deepEqual(preprocessingSchema.parse(model.preprocessing), {
    size: [224, 224],
    channels: 3,
    fit: { kind: "crop", shorterSide: 256 },
    resize: "bilinear",
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
  });
  assert.throws(
    () => findPretrained("caffe"),
    new ConfigError('unknown published weights "caffe"; expected one of torchvision'),
  );
});

test("downloaded and converted once", async () => {
  const { options } = cache("once");
  const progress: number[] = [];
  const first = await pullModel(published(), { ...options, onProgress: (received) => progress.push(received) });
  assert.equal(first.wasThere, false);
  assert.equal(progress.at(-1), bytes.length);
  await assertPulled(first.weights);
  assert.deepEqual(await pullModel(published(), options), { ...first, wasThere: true });
  assert.deepEqual(asked, ["/weights.pth all"]);
});

test("cut: what came is kept, the remedy is said, and the rest alone is asked for", async () => {
  const { options, place } = cache("cut");
  const onProgress = (received: number) => received >= cutAt && cut();
  await assert.rejects(pullModel(published("cut.pth"), { ...options, onProgress }), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /^torchvision: not downloaded \(http.*\/cut\.pth: .*\(1000 bytes are kept; /);
    assert.match(
      error.message,
      /; try again, or download http\S+ on another machine, .* alexnet pull torchvision --file cut\.pth$/,
    );
    return true;
  });
  assert.match((await readdir(place)).join(), /^cut\.pth\.[0-9a-f]{64}\.\d+\.part$/);
  const { weights } = await pullModel(published("cut.pth"), options);
  assert.deepEqual(asked, ["/cut.pth all", "/cut.pth bytes=1000-"]);
  await assertPulled(weights);
});

test("404 and a wrong checksum: nothing is left, and what to do is said", async () => {
  const { options, place } = cache("failing");
  const other = published("weights.pth", Buffer.from("other"));
  for (const [pretrained, reason] of [
    [published("gone.pth"), /^torchvision: not downloaded \(.*expected status 200, got 404 Not Found\); try again/],
    [
      other,
      new RegExp(`expected the SHA-256 checksum ${sha256(Buffer.from("other"))}, got ${sha256(bytes)}\\); try again`),
    ],
  ] as const) {
    await assert.rejects(
      pullModel(pretrained, options),
      (error) => error instanceof DataError && reason.test(error.message),
    );
    assert.deepEqual(await readdir(place), []);
  }
});

test("from a file: it is read only; another file is refused", async () => {
  const { options, place } = cache("file");
  await writeFile(at("other.pth"), bytes.subarray(1));
  const refused =
    /other\.pth: expected the SHA-256 checksum .*; torchvision is converted from http\S+; to convert weights of your own, use alexnet import$/;
  await assert.rejects(pullModel(published(), { ...options, file: at("other.pth") }), refused);
  await assert.rejects(
    pullModel(published(), { ...options, file: at("none.pth") }),
    /none\.pth: cannot be read: no such file or folder/,
  );
  assert.deepEqual(await readdir(place), []);
  const { weights } = await pullModel(published(), { ...options, file: at("published.pth") });
  await assertPulled(weights);
  assert.ok((await readFile(at("published.pth"))).equals(bytes));
  assert.deepEqual(asked, []);
});

test("a weights file that was damaged is made anew, from what was downloaded before if that is there", async () => {
  const { options, place } = cache("damaged");
  const { weights } = await pullModel(published(), options);
  const damaged = await readFile(weights);
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1;
  await writeFile(weights, damaged);
  await writeFile(join(place, "weights.pth"), bytes);
  assert.deepEqual(await pullModel(published(), options), { weights, wasThere: false });
  await assertPulled(weights);
  assert.deepEqual(asked, ["/weights.pth all"]);
});

test("tensors of another network: listed, and no weights file", async () => {
  const { options, place } = cache("misfit");
  const misfit = published();
  const layers = [...network.layers.slice(0, -1), linear("fc2", { outFeatures: 4 })] as readonly AnyLayer[];
  const model = { ...misfit.model, network: { ...network, layers }, classNames: ["a", "b", "c", "d"] };
  await assert.rejects(
    pullModel({ ...misfit, model }, options),
    (error) => error instanceof CheckpointError && /classifier\.\d\.weight/.test(error.message),
  );
  assert.deepEqual(await readdir(place), ["weights.pth"]);
});

test("by its name, wherever a run is taken; a folder of the name comes first", async () => {
  const { weights } = await pullModel(published(), { cacheDir: at("user", "alexnet") });
  const cwd = at("work");
  const data = Uint8Array.from({ length: 3 * 40 * 30 }, (_, i) => (i * i) % 251);
  const png = await encodePng({ width: 40, height: 30, channels: 3, data });
  const other = await encodePng({ width: 40, height: 30, channels: 3, data: data.map((byte) => 255 - byte) });
  const classes = ["cat", "dog"].flatMap((name, i) =>
    Array.from({ length: 4 }, (_, k): [string, Uint8Array] => [`photos/${name}/${k}.png`, (i + k) % 2 ? png : other]),
  );
  await writeFiles(cwd, [["cat.png", png], ...classes]);
  const alexnet = (args: string, user = "user") =>
    run([command, ...args.split(" ")], { cwd, env: { XDG_CACHE_HOME: at(user) } });
  const succeed = async (args: string) => {
    const { exit, stdout, stderr } = await alexnet(args);
    assert.equal(exit, 0, `${args}: ${stderr}`);
    return stdout;
  };
  assert.equal(await succeed("predict torchvision cat.png --json"), await succeed(`predict ${weights} cat.png --json`));
  assert.match(await succeed("summary torchvision"), /published/);
  await succeed("filters torchvision --output filters.svg");
  await succeed("export torchvision --output out.pth");
  await succeed("verify torchvision out.pth");
  const evaluated = JSON.parse(await succeed("evaluate torchvision --dataset photos --json"));
  assert.equal(evaluated.file, weights);
  await succeed("train photos --from torchvision --run tuned --epochs 1 --batch-size 2 --validation-share 0.25");
  const { fineTuning } = JSON.parse(await readFile(join(cwd, "tuned/config.json"), "utf8"));
  assert.deepEqual([fineTuning.from, fineTuning.file, fineTuning.taken], ["torchvision", weights, ["conv1"]]);

  const missing = await alexnet("predict torchvision cat.png", "empty");
  assert.equal(missing.exit, 1);
  assert.match(
    missing.stderr,
    /^alexnet: torchvision: not in the cache \(.*empty.*\); get it with: alexnet pull torchvision\n$/,
  );
  const { stderr } = await alexnet("predict ./torchvision cat.png");
  assert.match(stderr, /^alexnet: \.\/torchvision: no such file or folder/);
  await mkdir(join(cwd, "torchvision"));
  const folderFirst = await alexnet("predict torchvision cat.png");
  assert.match(folderFirst.stderr, /^alexnet: torchvision: contains no checkpoint/);
});

test("the command: names, files that are not the published one, and no file at all", async () => {
  const options = { cwd: folder, env: { XDG_CACHE_HOME: at("command") } };
  assert.equal((await run([command, "pull", "resnet"], options)).exit, 2);
  const { exit, stderr } = await run([command, "pull", "torchvision", "--file", "published.pth"], options);
  assert.equal(exit, 1);
  assert.match(
    stderr,
    /^alexnet: published\.pth: expected the SHA-256 checksum 7be5be79[0-9a-f]{56}, got [0-9a-f]{64}; torchvision is converted from https:\/\/download\.pytorch\.org\/models\/alexnet-owt-7be5be79\.pth; /,
  );
  await assert.rejects(resolveModelFile(at("torchvision")), /no such file or folder/);
});
