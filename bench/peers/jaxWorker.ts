/** Worker that computes with jax-js in WebAssembly. The last argument but one is the location of its package. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../../src/errors.ts";
import { create, type Jax } from "./jaxComputation.ts";
import { isLayerNetwork } from "./layerNetworks.ts";
import { serveLines, workerSetting } from "./nodeWorker.ts";
import { openFolder } from "./workloadFolder.ts";

await serveLines(async ({ folder, ...request }) => {
  if (request.threads > 1) throw new ConfigError("it has one thread in Node.js; add --threads 1");
  const workload = await openFolder(folder);
  if (!isLayerNetwork(workload.chain.network)) {
    throw new ConfigError("its convolutions in WebAssembly take minutes for a whole network; choose gemm or conv2");
  }
  const jax: Jax = await import(pathToFileURL(join(workerSetting(), "dist/index.js")).href);
  const { version } = JSON.parse(readFileSync(join(workerSetting(), "package.json"), "utf8"));
  return create({ ...jax, version }, "wasm", workload, request);
});
