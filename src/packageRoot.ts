/** Location of this package: modules find its files from here, since a build moves modules but not the package. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const manifest = createRequire(import.meta.url).resolve("alexnet/package.json");

/** URL of the folder of package.json, with a slash at the end. */
export const packageRoot = new URL("./", pathToFileURL(manifest));

/** URL of a module of `src/`, in TypeScript or built, like this module; `name` is its path without extension. */
export function moduleUrl(name: string): URL {
  return new URL(import.meta.url.endsWith(".ts") ? `src/${name}.ts` : `dist/${name}.js`, packageRoot);
}
