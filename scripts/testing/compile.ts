/** Compiles the checkout once for many test processes, which load the compiled modules and run the command built from them. */
import { execFile } from "node:child_process";
import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { stripsTypes } from "../../src/workerModule.ts";
import { bundleSource } from "../bundle.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Environment variable with the folder of the compiled checkout, for the processes of a test run. */
export const COMPILED_FOLDER = "ALEXNET_COMPILED";

/** A compiled checkout. */
export interface Compiled {
  /** Arguments of Node.js under which it loads the checkout's TypeScript: as compiled, or by itself where it strips types. */
  readonly importArguments: readonly string[];
  /** Path of the command, in a package like that of an installation. */
  readonly command: string;
}

/** Compiles to a folder, which may exist. Does not check types; `npm run check` does. */
export async function compileCheckout(folder: string): Promise<Compiled> {
  const modules = join(folder, "modules");
  const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
  const output = ["--noEmit", "false", "--noCheck", "--inlineSourceMap", "--rootDir", root, "--outDir", modules];
  await promisify(execFile)(process.execPath, [compiler, "-p", join(root, "tsconfig.json"), ...output]);
  await makePackage(join(folder, "package"));
  return compiledIn(folder);
}

/** The result of an earlier `compileCheckout` in a folder. */
export function compiledIn(folder: string): Compiled {
  const command = join(folder, "package/bin/alexnet.js");
  if (stripsTypes) return { importArguments: [], command };
  const hook = pathToFileURL(join(folder, "modules/scripts/testing/importCompiled.js"));
  hook.searchParams.set("checkout", pathToFileURL(root).href);
  return { importArguments: ["--import", hook.href], command };
}

/** Like an installation, besides one module that a test imports by its path. */
async function makePackage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ["bin", "package.json"]) await cp(join(root, name), join(folder, name), { recursive: true });
  await bundleSource(join(folder, "dist"), ["dataset/pack/pack"]);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}
