/** Builds `dist/`: the compiled source, and beside each entry point of package.json one file with all the declarations that it needs. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
/** One declaration file for each module, as the compiler writes them; not part of the package. */
const declarations = join(root, "dist/declarations");

/** Paths of the declaration files that `exports` of package.json names. */
function publicDeclarations(): readonly string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
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

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
for (const path of publicDeclarations()) await rollDeclarations(path);
rmSync(declarations, { recursive: true });
