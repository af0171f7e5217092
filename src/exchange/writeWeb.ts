/** The browser app written for a static host, or as a single file with a network. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { createFolderThrough, writeThrough } from "../checkpoint/durable.ts";
import { ConfigError } from "../errors.ts";
import { fileNameOf } from "../fileName.ts";
import { packModel } from "../model/compactModel.ts";
import { readModel, writeModel } from "../model/modelFile.ts";
import { builtNames, readWebApp } from "./webApp.ts";
import { renderWebPage } from "./webPage.ts";
import type { OfferedModel, OfflineSite } from "./webPageData.ts";

/** Result of writing the app. */
export interface WrittenWeb {
  readonly output: string;
  /** Names of the networks in it. */
  readonly networks: readonly string[];
  readonly bytes: number;
}

/**
 * Writes a folder of static files: `index.html`, its service worker, the weights of runs, and the sample of Fashion-MNIST with its licence. The folder
 * appears at once.
 *
 * Throws ConfigError if it exists already or two runs have one name, CheckpointError if weights are unreadable or the folder cannot be written.
 */
export async function writeWebFolder(runs: readonly string[], output: string): Promise<WrittenWeb> {
  await refuseExisting(output);
  const networks = runs.map(nameOf);
  const repeated = networks.find((name, i) => networks.indexOf(name) !== i);
  if (repeated !== undefined) throw new ConfigError(`--run: two runs are called "${repeated}"; rename one of them`);
  const app = await readWebApp();
  let bytes = 0;
  await createFolderThrough(output, async (folder) => {
    const models = await writeModels(runs, networks, folder);
    const sample = await app.readSample();
    if (sample) {
      await writeFile(join(folder, builtNames.sample), sample.bytes);
      await writeFile(join(folder, builtNames.licence), sample.licence);
    }
    const data = { models, ...(sample && { sample: builtNames.sample }), offline: builtNames.offline };
    await writeFile(join(folder, PAGE), renderWebPage(app, data, "'self'").html);
    const own = [...models.map(({ file }) => file), ...(sample ? [builtNames.sample] : [])];
    const version = await digestOf([PAGE, ...own.map(decodeURIComponent)].map((file) => join(folder, file)));
    const site: OfflineSite = { version, files: ["./", ...own] };
    await writeFile(join(folder, builtNames.offline), `const site = ${JSON.stringify(site)};\n${app.offline}`);
    bytes = await bytesOf(folder);
  });
  return { output, networks, bytes };
}

const PAGE = "index.html";

/** Writes the weights of runs to `models/`. */
async function writeModels(runs: readonly string[], names: readonly string[], folder: string) {
  if (runs.length > 0) await mkdir(join(folder, "models"));
  const models: (OfferedModel & { readonly file: string })[] = [];
  for (const [i, run] of runs.entries()) {
    const name = names[i] as string;
    const file = `models/${i + 1}-${fileNameOf(name, "network")}.safetensors`;
    await writeModel(join(folder, file), await readModel(run));
    models.push({ name, file: file.split("/").map(encodeURIComponent).join("/") });
  }
  return models;
}

/** Digest of the content of files. */
async function digestOf(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

/** Bytes of all files of a folder. */
async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const found = await Promise.all(names.map((name) => stat(join(folder, name))));
  return found.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
}

/**
 * Writes one HTML file with the network of a run inside, its weights in 8 bits: it predicts from the disk, and makes no request.
 *
 * Throws ConfigError if the file exists already, CheckpointError if the weights are unreadable or the file cannot be written.
 */
export async function writeWebFile(run: string, output: string): Promise<WrittenWeb> {
  await refuseExisting(output);
  const app = await readWebApp();
  const name = nameOf(run);
  const { html } = renderWebPage(app, { models: [{ name, packed: packModel(await readModel(run)) }] }, "'none'");
  await writeThrough(output, (temporary) => writeFile(temporary, html));
  return { output, networks: [name], bytes: Buffer.byteLength(html) };
}

/** Name of a network: the last part of its path, without the ending of a weights file. */
function nameOf(path: string): string {
  return basename(resolve(path)).replace(/\.safetensors$/, "");
}

async function refuseExisting(output: string): Promise<void> {
  const found = await stat(output).catch(() => undefined);
  if (found) throw new ConfigError(`${output}: already exists; remove it, or choose another name`);
}
