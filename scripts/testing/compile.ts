/** Compiles the checkout once for many test processes, which load the compiled modules and run the command built from them. */
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { stripsTypes } from "../../src/workerModule.ts";
import { bundleSource } from "../bundle.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Environment variable with the folder of the compiled checkout, for the processes of a test run. */
export const COMPILED_FOLDER = "ALEXNET_COMPILED";

/** A compiled checkout. */
export interface Compiled {
  /** Arguments of Node.js under which it runs `moduleOf` a file, and loads the checkout's TypeScript: as compiled, or by itself where it strips types. */
  readonly importArguments: readonly string[];
  /** Path at which Node.js starts a TypeScript file of the checkout: its compiled module, or the file itself where types are stripped. */
  moduleOf(file: string): string;
  /** Path of the command, in a package like that of an installation. */
  readonly command: string;
}

/** Compiles to a folder, which may exist. Does not check types; `npm run check` does. */
export async function compileCheckout(folder: string): Promise<Compiled> {
  const modules = join(folder, "modules");
  const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
  const output = ["--noEmit", "false", "--noCheck", "--inlineSourceMap", "--rootDir", root, "--outDir", modules];
  await promisify(execFile)(process.execPath, [compiler, "-p", join(root, "tsconfig.json"), ...output]);
  await placeModules(modules);
  await makePackage(join(folder, "package"));
  return compiledIn(folder);
}

/** The result of an earlier `compileCheckout` in a folder. */
export function compiledIn(folder: string): Compiled {
  const command = join(folder, "package/bin/alexnet.js");
  if (stripsTypes) return { importArguments: [], moduleOf: (file) => file, command };
  const moduleOf = (file: string) => join(folder, "modules", relative(root, resolve(file))).replace(/\.ts$/, ".js");
  const hook = pathToFileURL(join(folder, "modules/scripts/testing/importCompiled.js"));
  hook.searchParams.set("checkout", pathToFileURL(root).href);
  return { importArguments: ["--import", hook.href], moduleOf, command };
}

/**
 * Makes the compiled modules loadable without hooks, which cost a message to another thread per import. Each finds the packages, and takes the place of
 * its source, so that files next to the source are found.
 */
async function placeModules(modules: string): Promise<void> {
  await writeFile(join(modules, "package.json"), JSON.stringify({ type: "module" }));
  for (const name of await readdir(modules, { recursive: true })) {
    // scripts/testing/importCompiled.ts finds its hooks next to the compiled module.
    if (!name.endsWith(".js") || name.endsWith("importCompiled.js")) continue;
    const [path, source] = [join(modules, name), join(root, name.replace(/\.js$/, ".ts"))];
    const places = { url: pathToFileURL(source).href, filename: source, dirname: dirname(source) };
    const text = await readFile(path, "utf8");
    const placed = text.replace(/\bimport\.meta\.(url|filename|dirname)\b/g, (_, key: keyof typeof places) =>
      JSON.stringify(places[key]),
    );
    if (placed !== text) await writeFile(path, placed);
  }
  await symlink(join(root, "node_modules"), join(modules, "node_modules"));
}

/** Like an installation, besides one module that a test imports by its path. */
async function makePackage(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ["bin", "package.json"]) await cp(join(root, name), join(folder, name), { recursive: true });
  await bundleSource(join(folder, "dist"), ["dataset/pack/pack"]);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}
