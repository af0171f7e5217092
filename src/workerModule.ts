/** Start of worker threads, from the TypeScript source or the build. */
import { fileURLToPath } from "node:url";
import { packageRoot } from "./packageRoot.ts";

/** True for a Node.js that strips types itself. */
export const stripsTypes = "typescript" in process.features && Boolean(process.features.typescript);

/** The start module of a thread, which does not inherit its parent's loader of TypeScript; Node.js 22.18 and later need none. */
export function startOf(module: URL): URL {
  if (!module.pathname.endsWith(".ts") || stripsTypes) return module;
  const tsx = import.meta.resolve("tsx/esm/api");
  const tsconfig = fileURLToPath(new URL("tsconfig.json", packageRoot()));
  const code = `import { register } from ${JSON.stringify(tsx)};
    register({ tsconfig: ${JSON.stringify(tsconfig)} });
    await import(${JSON.stringify(module.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}
