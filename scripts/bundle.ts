/**
 * Bundles the source as it is in the published package. Modules that several entry points need, and those that a command imports when it runs, are chunks.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
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
export function publicDeclarations(): readonly string[] {
  const targets: readonly (string | { readonly types?: string })[] = Object.values(exports);
  return targets.flatMap((target) => (typeof target === "string" ? [] : (target.types ?? [])));
}

/** Writes the entry points, the command and the threads' modules, with zod, to a folder; `others` are further modules of src/, without extension. */
export async function bundleSource(folder: string, others: readonly string[] = []): Promise<void> {
  const entries = publicDeclarations().map((path) => basename(path, ".d.ts"));
  await build({
    absWorkingDir: root,
    entryPoints: [...entries, ...started, ...others].map((name) => `src/${name}.ts`),
    outbase: "src",
    outdir: folder,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.9",
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== "zod"),
    logLevel: "warning",
  });
}
