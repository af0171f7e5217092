/**
 * Imports other projects' public model files and compares each with ONNX Runtime on a random image; writes the table of docs/interop-onnx.md.
 *
 * `node --import tsx scripts/publicModels.ts FOLDER [--print]`: FOLDER contains `<project>/<path>` of `publicModels.json`, at the commits
 * stated there. A file that is missing there, or has other contents, is an error.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { AlexNetError } from "../src/errors.ts";
import { readCaffeFile } from "../src/formats/caffe/readCaffe.ts";
import { readMessage } from "../src/formats/containers/protobuf.ts";
import type { ImportedModel } from "../src/formats/importedModel.ts";
import { modelTable } from "../src/formats/onnx/messages.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { readPyTorchFile, readSafetensorsFile, weightsOf } from "../src/formats/tensorFiles.ts";
import { sizeOf } from "../src/shape.ts";
import { drawn } from "../test/golden.ts";
import { computeImported } from "../test/onnxCases.ts";
import { runOnnxUnoptimized } from "../test/onnxRuntime.ts";
import { inFile } from "../test/onnxSpellings.ts";

interface Project {
  readonly project: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

/** Result of one file. */
interface Row {
  readonly producer: string;
  readonly result: string;
  readonly isImported: boolean;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { print: { type: "boolean" } } });
const [folder] = positionals;
if (folder === undefined) throw new Error("expected FOLDER");
const list = new URL("publicModels.json", import.meta.url);
const projects = JSON.parse(readFileSync(list, "utf8")) as readonly Project[];
const lines: string[] = [];
let imported = 0;
let count = 0;
for (const { project, commit, files } of projects) {
  for (const { path, sha256 } of files) {
    const row = await rowOf(join(folder, project, path), sha256);
    count++;
    if (row.isImported) imported++;
    lines.push(`| ${project} ${commit} | \`${path}\` | ${row.producer} | ${row.result} |`);
  }
}
const head = "| project, commit | file | producer | result |\n| --- | --- | --- | --- |";
const table = `${imported} of the ${count} files are imported.\n\n${head}\n${lines.join("\n")}\n`;
if (values.print) process.stdout.write(table);
else replaceIn(new URL("../docs/interop-onnx.md", import.meta.url), table);

/** Replaces the table between its heading's command and the next heading. */
function replaceIn(page: URL, text: string): void {
  const docs = readFileSync(page, "utf8");
  const start = docs.indexOf("## Public files");
  const end = docs.indexOf("\n## ", start);
  const body = docs.indexOf("\n\n", docs.indexOf("ONNX Runtime on a random image", start));
  if (start < 0 || body < 0 || end < 0) throw new Error("docs/interop-onnx.md: no table to replace");
  writeFileSync(page, `${docs.slice(0, body)}\n\n${text}${docs.slice(end)}`);
}

async function rowOf(file: string, sha256: string): Promise<Row> {
  const bytes = readFileSync(file);
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== sha256) throw new Error(`${file}: expected SHA-256 ${sha256}, got ${actual}`);
  try {
    if (file.endsWith(".onnx")) return await onnxRow(bytes, file);
    return file.endsWith(".caffemodel") ? await caffeRow(file) : await tensorsRow(file);
  } catch (error) {
    if (!(error instanceof AlexNetError)) throw error;
    const message = error.message
      .replaceAll(`${file}: `, "")
      .replace(/; expected one of Conv.*/, "")
      .replaceAll("|", "\\|")
      .replaceAll("\n", "; ");
    return {
      producer: file.endsWith(".onnx") ? producerOf(bytes, file) : "",
      result: `refused: ${message}`,
      isImported: false,
    };
  }
}

async function onnxRow(bytes: Uint8Array, file: string): Promise<Row> {
  const model = readOnnx(bytes, file);
  const { input } = model.network;
  const images = drawn(5, "image", sizeOf(input), 0, 1);
  const dims = dimsOf(bytes, file);
  const expected = await runOnnxUnoptimized(bytes, inFile(images, dims, input), dims);
  const output = await computeImported(createOneDnnEngine(), model, images, 1);
  return { producer: model.metadata.producer, result: comparison(output, expected), isImported: true };
}

async function caffeRow(file: string): Promise<Row> {
  const { network } = await readCaffeFile(file, { input: [1, 28, 28] });
  const text = `imported: ${network.layers.length} layers, 28×28 pixels stated; not compared`;
  return { producer: "caffe", result: text, isImported: true };
}

/** Weights of the network in the file of the same name with the ending .onnx, computed with both. */
async function tensorsRow(file: string): Promise<Row> {
  const tensors = file.endsWith(".safetensors")
    ? (await readSafetensorsFile(file)).tensors
    : await readPyTorchFile(file);
  const twin = file.replace(/\.\w+$/, ".onnx");
  let model: ImportedModel;
  try {
    model = readOnnx(readFileSync(twin), twin);
  } catch (error) {
    if (error instanceof AlexNetError) throw error;
    const names = [...tensors.keys()].filter((name) => name.endsWith("weight"));
    return { producer: "", result: `tensors read: ${names.join(", ")}; no network to compare`, isImported: false };
  }
  const images = drawn(5, "image", sizeOf(model.network.input), 0, 1);
  const expected = await computeImported(createOneDnnEngine(), model, images, 1);
  const weights = await weightsOf(model.network, tensors, file);
  const output = await computeImported(createOneDnnEngine(), { ...model, tensors: weights }, images, 1);
  return {
    producer: "pytorch",
    result: `${comparison(output, expected)}, with the network of the .onnx file`,
    isImported: true,
  };
}

function comparison(output: Float32Array, expected: Float32Array): string {
  if (output.length !== expected.length) throw new Error(`expected ${expected.length} outputs, got ${output.length}`);
  const difference = Math.max(...expected.map((value, i) => Math.abs(value - (output[i] as number))));
  const largest = Math.max(...expected.map(Math.abs));
  return `imported; largest difference ${difference === 0 ? 0 : difference.toExponential(0)}, largest output ${Number(largest.toPrecision(2))}`;
}

function producerOf(bytes: Uint8Array, file: string): string {
  const { producerName = "", producerVersion = "" } = readMessage(modelTable, bytes, file);
  return [producerName, producerVersion].filter(Boolean).join(" ");
}

/** Shape of the input with a batch of one image. */
function dimsOf(bytes: Uint8Array, file: string): readonly number[] {
  const { graph } = readMessage(modelTable, bytes, file);
  const constants = new Set(graph?.initializer.map(({ name }) => name));
  const input = graph?.input.find(({ name }) => !constants.has(name));
  return (input?.type?.tensorType?.shape?.dim ?? []).map(({ value = 0 }) => (value > 0 ? value : 1));
}
