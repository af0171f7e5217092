/** Start of worker threads, from the TypeScript source or the build. */
import { fileURLToPath } from "node:url";

/** URL of a module in this folder for a thread, in TypeScript or built, like this module; `name` has no extension. */
export function threadModule(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}

/** URL of a thread's start module, which loads TypeScript: a thread does not inherit its parent's loader. */
export function startOf(module: URL): URL {
  if (!module.pathname.endsWith(".ts")) return module;
  const tsx = import.meta.resolve("tsx/esm/api");
  const tsconfig = fileURLToPath(new URL("../../tsconfig.json", import.meta.url));
  const code = `import { register } from ${JSON.stringify(tsx)};
    register({ tsconfig: ${JSON.stringify(tsconfig)} });
    await import(${JSON.stringify(module.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}
