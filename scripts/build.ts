/**
 * Builds `dist/`: the entry points of package.json, the command and the threads' modules, each bundled with zod, and with one declaration file for each entry
 * point. Modules that several of them need, and those that a command imports when it runs, are chunks. Bundled, `alexnet predict` loads in two thirds of the time:
 * most of zod is never needed.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { builtNames } from "../src/exchange/webApp.ts";
import { bundleSource, publicDeclarations } from "./bundle.ts";
import { buildWebApp } from "./webApp.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
/** One declaration file for each module, as the compiler writes them; not part of the package. */
const declarations = join(root, "dist/declarations");

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
await bundleSource(join(root, "dist"));
copyFileSync(join(root, "node_modules/zod/LICENSE"), join(root, "dist/chunks/zod.LICENSE"));
for (const path of publicDeclarations()) await rollDeclarations(path);
await writeWebApp();
rmSync(declarations, { recursive: true });
