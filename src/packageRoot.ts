/** Location of this package: modules find its files from here, since a build moves modules but not the package. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** URL of the folder of package.json, with a slash at the end. Throws Error where the package is not installed, as in a bundle of another program. */
export function packageRoot(): URL {
  return new URL("./", pathToFileURL(createRequire(import.meta.url).resolve("alexnet/package.json")));
}

/** URL of a module of `src/`, in TypeScript or built, like this module; `name` is its path without extension. */
export function moduleUrl(name: string): URL {
  return new URL(import.meta.url.endsWith(".ts") ? `src/${name}.ts` : `dist/${name}.js`, packageRoot());
}
