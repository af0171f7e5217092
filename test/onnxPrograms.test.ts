/**
 * The programs of docs/interop-onnx.md, run as they are printed on what its own command exports: in Python where there is one with ONNX Runtime,
 * in Node.js, and in Chromium. They must say of an image what this program says of it, whatever the form of its file.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import type { Model } from "../src/checkpoint/metadata.ts";
import { encodePng } from "../src/image/files/decode.ts";
import type { Image } from "../src/image/image.ts";
import { conv2d, flatten, linear, localResponseNorm, maxPool2d, relu } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { ClassScore } from "../src/model/predictRows.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import type { Network } from "../src/network/network.ts";
import { launchChromium, skippedWithoutChromium } from "./browser.ts";
import { run } from "./command.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";
import { type LocalServer, serve } from "./localServer.ts";
import { noise } from "./packPictures.ts";
import { idat, ihdr, pngFile } from "./pngFiles.ts";
import { findPython, runPython } from "./python.ts";
import { root } from "./sourceFiles.ts";

const require = createRequire(import.meta.url);
const runtimeFolder = dirname(require.resolve("onnxruntime-web/wasm"));

let folder = "";
let docs = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-programs-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  docs = await readFile(join(root, "docs/interop-onnx.md"), "utf8");
  for (const each of cases) await exportInto(join(folder, each.name), each.model);
});
after(() => rm(folder, { recursive: true }));

function block(language: string): string {
  const blocks = [...docs.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))];
  assert.equal(blocks.length, 1, language);
  return blocks[0]?.[1] ?? "";
}

function small(name: string, channels: 1 | 3, side: number): Network {
  const layers = [
    conv2d("conv1", { outChannels: 8, kernelSize: 5, stride: 2 }),
    relu("relu1"),
    localResponseNorm("norm1"),
    maxPool2d("pool1", { kernelSize: 3, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 7 }),
  ] as readonly AnyLayer[];
  return { name, source: "", deviations: [], input: [channels, side, side], layers };
}

const classNames = ["cat", "dog, small", 'the "owl"', "<b>bird</b>", "猫", "a b", "fish"];
const scale = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

function withCrop(network: Network, shorterSide: number, said: Partial<Model> = {}): Model {
  const { preprocessing, ...model } = modelOf(network);
  return { ...model, ...said, preprocessing: { ...preprocessing, ...scale, fit: { kind: "crop", shorterSide } } };
}

/** A picture of large, soft forms: any way of resizing gives nearly the same. */
function photo(width: number, height: number): Image {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [((i / 3) | 0) % width, ((i / 3 / width) | 0) as number];
    data[i] = 128 + 100 * Math.sin((x / width) * (2 + (i % 3)) + 1) * Math.cos((y / height) * (5 - (i % 3)));
  }
  return { width, height, channels: 3, data };
}

/** A file of the size to which the fit brings images. */
interface Form {
  readonly name: string;
  readonly file: () => Promise<Uint8Array>;
  /** Chromium truncates where others round: one level in 255. */
  readonly isTruncated?: true;
}

const asSharp = ({ width, height, channels, data }: Image) => sharp(data, { raw: { width, height, channels } });

/** 16 bits whose low bytes are 255: cut they are the image's levels, rounded they are not. */
function sixteenBits({ width, height, channels, data }: Image): Uint8Array {
  const form = { width, height, bitDepth: 16, colourType: channels === 1 ? 0 : 2 } as const;
  return pngFile(
    ihdr(form),
    idat(form, (x, y, c) => 256 * (data[channels * (y * width + x) + c] as number) + 255),
  );
}

/** Files that readers disagree on: iPhones write Display P3, printers' programs CMYK, scanners 16 bits. */
function formsOf(coloured: Image): readonly Form[] {
  const quality = { quality: 100, chromaSubsampling: "4:4:4" } as const;
  return [
    { name: "Display P3", file: () => asSharp(coloured).withIccProfile("p3").png().toBuffer() },
    { name: "CMYK", file: () => asSharp(coloured).toColourspace("cmyk").jpeg(quality).toBuffer(), isTruncated: true },
    {
      name: "CMYK with a profile",
      file: () => asSharp(coloured).withIccProfile("cmyk").jpeg(quality).toBuffer(),
      isTruncated: true,
    },
    { name: "16 bits", file: async () => sixteenBits(coloured) },
    {
      name: "JPEG on its side",
      file: () => asSharp(coloured).withMetadata({ orientation: 6 }).jpeg(quality).toBuffer(),
    },
    { name: "colour", file: () => encodePng(coloured) },
    { name: "grey", file: () => encodePng(noise(8, coloured.width, coloured.height, 1)) },
    { name: "grey of 16 bits", file: async () => sixteenBits(noise(9, coloured.width, coloured.height, 1)) },
  ];
}

interface Case {
  readonly name: string;
  readonly model: Model;
  readonly forms?: readonly Form[];
  /** Of the size to which the fit brings pictures. */
  readonly exact: Image;
  readonly photo?: Image;
}

const cases: readonly Case[] = [
  {
    name: "cropped",
    model: withCrop(small("cropped", 3, 32), 36, { classNames }),
    exact: noise(1, 36, 36, 3),
    photo: photo(500, 375),
    forms: formsOf(photo(36, 36)),
  },
  {
    name: "grey",
    model: modelOf(small("grey", 1, 28), { classNames }),
    exact: noise(2, 28, 28, 1),
    forms: formsOf(photo(28, 28)),
  },
  { name: "alexnet-owt", model: withCrop(findNetwork("alexnet-owt"), 256), exact: noise(3, 256, 256, 3) },
];

/** Runs one of the programs in a folder with `mine.onnx`, `mine.json` and `cat.jpg`. Returns what it prints. */
type Program = (directory: string) => Promise<string>;

/** What the documented command writes of a run with this model: the ONNX file and what is to be known besides. */
async function exportInto(directory: string, model: Model): Promise<void> {
  await mkdir(join(directory, "runs/mine"), { recursive: true });
  await writeDrawn(model, join(directory, "runs/mine/best.safetensors"));
  const [, command = ""] = /^ {4}npx alexnet (export runs\/mine .*) > mine\.json$/m.exec(docs) ?? [];
  const { exit, stdout, stderr } = await run([join(root, "bin/alexnet.js"), ...command.split(" ")], { cwd: directory });
  assert.equal(exit, 0, stderr);
  await writeFile(join(directory, "mine.json"), stdout);
}

/** Of probabilities of 10 layers in f32 on both sides, in parts of the largest; they are printed to six digits. */
const TOLERANCE = 1e-5;
/** One level in 255 moves these networks' probabilities by 0.0032 of the largest, as measured. */
const TRUNCATED = 0.005;
const DIGITS = 1e-6;

async function answers(program: Program, directory: string, bytes: Uint8Array) {
  const file = join(directory, "cat.jpg");
  await writeFile(file, bytes);
  const classifier = await openClassifier(join(directory, "runs/mine"), { threads: 1 });
  const expected = await classifier.predict(file);
  classifier.close();
  const printed = (await program(directory)).trimEnd().split("\n");
  const got = printed.map((line): ClassScore => {
    const [, probability = "", className = ""] = /^(\d\.\d{6}) (.+)$/.exec(line) ?? assert.fail(line);
    return { className, probability: Number(probability) };
  });
  assert.equal(got.length, 5);
  return { expected, got };
}

async function assertSameAnswers(
  program: Program,
  directory: string,
  bytes: Uint8Array,
  tolerance = TOLERANCE,
): Promise<void> {
  const { expected, got } = await answers(program, directory, bytes);
  const known = new Map(expected.map(({ className, probability }) => [className, probability]));
  const allowed = tolerance * (expected[0]?.probability ?? 0) + DIGITS;
  assert.equal(new Set(got.map(({ className }) => className)).size, 5);
  for (const [rank, { className, probability }] of got.entries()) {
    const own = known.get(className) ?? assert.fail(`no class of this name: ${className}`);
    assert.ok(Math.abs(own - probability) <= allowed, `${className}: ${probability}, expected ${own}`);
    // Neighbours that are as good as equal may change places.
    assert.ok(Math.abs((expected[rank]?.probability ?? 0) - own) <= 2 * allowed, `rank ${rank}: ${className}`);
  }
}

/** A photo that had to be resized: nearly the same probabilities, and the class that is well ahead. */
async function assertNearAnswers(program: Program, directory: string, bytes: Uint8Array): Promise<void> {
  const { expected, got } = await answers(program, directory, bytes);
  const known = new Map(expected.map(({ className, probability }) => [className, probability]));
  const [first, second] = expected.map(({ probability }) => probability) as [number, number];
  assert.ok(first - second > 0.05, `${first} is well ahead of ${second}`);
  assert.equal(got[0]?.className, expected[0]?.className);
  // 0.002 was measured in Node.js, 0.006 in Chromium.
  for (const { className, probability } of got)
    assert.ok(Math.abs((known.get(className) ?? 1) - probability) < 0.02, `${className}: ${probability}`);
}

interface Reading {
  /** Resizes as predict does. */
  readonly resizesAlike: boolean;
  readonly truncates?: true;
}

function itAnswers(which: string, skip: string | false, program: Program, { resizesAlike, truncates }: Reading): void {
  describe(which, { skip }, () => {
    for (const { name, exact, photo, forms = [] } of cases) {
      const directory = () => join(folder, name);
      const itSays = (title: string, assertAnswers: typeof assertNearAnswers, file: () => Promise<Uint8Array>) =>
        it(`${title}: ${name}`, async () => assertAnswers(program, directory(), await file()));
      itSays("says what predict says", assertSameAnswers, () => encodePng(exact));
      const assertAlike = resizesAlike ? assertSameAnswers : assertNearAnswers;
      if (photo) itSays("and so of a photo", assertAlike, () => encodePng(photo));
      for (const { name: form, file, isTruncated } of forms) {
        const tolerance = truncates && isTruncated ? TRUNCATED : TOLERANCE;
        itSays(`and so of a file in ${form}`, (...given) => assertSameAnswers(...given, tolerance), file);
      }
    }
  });
}

const python = findPython("json, numpy, onnxruntime, PIL");
const withoutPython = python === undefined && "no Python with onnxruntime and pillow";
const inPython: Program = async (directory) => runPython(python as string, block("python"), directory);
itAnswers("in Python", withoutPython, inPython, { resizesAlike: true });

const inNode: Program = async (directory) => {
  await writeFile(join(directory, "program.mjs"), block("js"));
  const { exit, stdout, stderr } = await run(["program.mjs"], { cwd: directory });
  assert.equal(exit, 0, stderr);
  return stdout;
};
itAnswers("in Node.js", false, inNode, { resizesAlike: false });

describe("in a browser", { skip: skippedWithoutChromium() }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser.close());
  const inBrowser: Program = async (directory) => {
    await writeFile(join(directory, "page.html"), block("html"));
    const server = await serveFolder(directory);
    try {
      return await askPage(browser, server.url, join(directory, "cat.jpg"));
    } finally {
      server.close();
    }
  };
  itAnswers("the page", false, inBrowser, { resizesAlike: false, truncates: true });
});

const types: Readonly<Record<string, string>> = { html: "text/html", json: "application/json" };

function serveFolder(directory: string): Promise<LocalServer> {
  return serve(async (request, response) => {
    const name = basename(request.url ?? "");
    const content = await readFile(join(directory, name)).catch(() => undefined);
    const type = types[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response.writeHead(content ? 200 : 404, { "content-type": type }).end(content);
  });
}

/** Nothing leaves the machine: the files of the public server are those of the package here, in the version that the page names. */
async function askPage(browser: Browser, url: string, picture: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(runtimeFolder, "../package.json"), "utf8"));
  const publicFolder = `https://cdn.jsdelivr.net/npm/onnxruntime-web@${version}/dist/`;
  const context = await browser.newContext();
  const complaints: string[] = [];
  try {
    await context.route("**/*", (route) => {
      const address = route.request().url();
      if (address.startsWith(`${url}/`)) return route.continue();
      if (address.startsWith(publicFolder)) {
        const headers = { "access-control-allow-origin": "*" };
        return route.fulfill({ path: join(runtimeFolder, address.slice(publicFolder.length)), headers });
      }
      complaints.push(`request: ${address}`);
      return route.abort();
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(`${url}/page.html`);
    await page.locator("input:enabled").setInputFiles(picture);
    const output = page.locator("pre:not(:empty)");
    const text = await output.textContent({ timeout: 30_000 });
    assert.deepEqual(complaints, []);
    return text ?? "";
  } catch (error) {
    throw new Error(`page: ${complaints.join("\n")}`, { cause: error });
  } finally {
    await context.close();
  }
}
