/** Worker that computes with an engine of this project. The last argument but one is an `OwnSetting` as JSON. */
import { loadDawn } from "../../src/engine/select/dawn.ts";
import type { EngineName } from "../../src/engine/select/engineNames.ts";
import { selectEngine } from "../../src/engine/select/selectEngine.ts";
import type { WebGpu } from "../../src/engine/webgpu/api.ts";
import { ConfigError } from "../../src/errors.ts";
import { type AdapterName, isSameAdapter } from "./adapterName.ts";
import { calibrateWorkload } from "./int8.ts";
import { serveLines, workerSetting } from "./nodeWorker.ts";
import { createOwn } from "./ownComputation.ts";
import type { Computation, WorkerRequest } from "./protocol.ts";
import { openFolder } from "./workloadFolder.ts";

/** An engine, and how it is used. */
export interface OwnSetting {
  readonly engine: EngineName;
  /** Direct convolution only. */
  readonly exact: boolean;
  /** Graphics adapter on which it is compared; another one is refused. */
  readonly adapter?: AdapterName;
}

async function create({ folder, threads, ...request }: WorkerRequest): Promise<Computation> {
  const workload = await openFolder(folder);
  const { engine: name, exact, adapter }: OwnSetting = JSON.parse(workerSetting());
  const { engine } = await selectEngine(name, threads, adapter && (() => loadAdapter(adapter)));
  const quantization = request.precision === "int8" ? await calibrateWorkload(workload, engine) : undefined;
  return createOwn({ engine, exact, quantization }, workload, { threads, ...request });
}

/** Dawn, whose preferred adapter must be the expected one. */
async function loadAdapter(expected: AdapterName): Promise<WebGpu> {
  const gpu = await loadDawn();
  const found = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (found && !isSameAdapter(found.info, expected)) {
    const names = [expected, found.info].map(({ vendor, architecture }) => `${vendor} ${architecture}`);
    throw new ConfigError(`graphics adapter: expected that of Chromium (${names[0]}), got ${names[1]}`);
  }
  return gpu;
}

await serveLines(create);
