/**
 * Builds `dist/`: the entry points of package.json, the command and the threads' modules, each bundled with zod, and with one declaration file for each entry
 * point. Modules that several of them need, and those that a command imports when it runs, are chunks. Bundled, `alexnet predict` loads in two thirds of the time:
 * most of zod is never needed.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { builtNames } from "../src/exchange/webApp.ts";
import { buildWebApp } from "./webApp.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
/** One declaration file for each module, as the compiler writes them; not part of the package. */
const declarations = join(root, "dist/declarations");

const { exports, dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** Modules besides the entry points that Node.js starts by their path. */
const started = [
  "cli/main",
  "dataset/pack/imageWorker",
  "dataset/prepare/thread",
  "server/decodeThread",
  "server/engineChannel",
  "server/engineProcess",
];

/** Paths of the declaration files that `exports` of package.json names. */
function publicDeclarations(): readonly string[] {
  const targets: readonly (string | { readonly types?: string })[] = Object.values(exports);
  return targets.flatMap((target) => (typeof target === "string" ? [] : (target.types ?? [])));
}

/** Writes one declaration file. Throws Error for everything that rollup warns of. */
async function rollDeclarations(path: string): Promise<void> {
  const bundle = await rollup({
    input: join(declarations, basename(path)),
    external: (id) => !/^[./]/.test(id),
    plugins: [dts()],
    onwarn: ({ message }) => {
      throw new Error(`${path}: ${message}`);
    },
  });
  await bundle.write({ file: join(root, path) });
  await bundle.close();
}

async function bundle(): Promise<void> {
  const entries = publicDeclarations().map((path) => basename(path, ".d.ts"));
  await build({
    absWorkingDir: root,
    entryPoints: [...entries, ...started].map((name) => `src/${name}.ts`),
    outbase: "src",
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.9",
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== "zod"),
    logLevel: "warning",
  });
  copyFileSync(join(root, "node_modules/zod/LICENSE"), join(root, "dist/chunks/zod.LICENSE"));
}

/** Writes the browser app with its sample. Throws Error without Fashion-MNIST, from which the sample is made. */
async function writeWebApp(): Promise<void> {
  const { script, style, readSample } = await buildWebApp();
  const sample = await readSample();
  if (!sample) throw new Error("build: the browser app needs Fashion-MNIST for its sample; run npm run setup");
  const folder = join(root, builtNames.folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, builtNames.script), script);
  writeFileSync(join(folder, builtNames.style), style);
  writeFileSync(join(folder, builtNames.sample), sample.bytes);
  writeFileSync(join(folder, builtNames.licence), sample.licence);
}

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
await bundle();
for (const path of publicDeclarations()) await rollDeclarations(path);
await writeWebApp();
rmSync(declarations, { recursive: true });
