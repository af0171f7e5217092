/** Creation of engines by name: the only module that imports all of them, those that are rarely used once they are requested. */
import { NativeError } from "../../errors.ts";
import { requireMemory } from "../../memoryCheck.ts";
import type { Engine } from "../engine.ts";
import { createOneDnnEngine } from "../onednn/onednn.ts";
import { processorShare } from "../onednn/threads.ts";
import type { WebGpuEngine } from "../webgpu/webgpu.ts";
import type { CreatedEngineName, EngineName } from "./engineNames.ts";

/** An engine, with a message about the choice. */
export interface SelectedEngine {
  readonly engine: Engine;
  /** Reason for using a slower engine than there could be, if it was not requested. */
  readonly warning: string | undefined;
}

/** Constructors of the engines; `threads` is undefined for the default. */
const creators: { readonly [N in CreatedEngineName]: (threads: number | undefined) => Engine | Promise<Engine> } = {
  onednn: (threads) => createOneDnnEngine(threads === undefined ? {} : { threads }),
  async wasm(threads) {
    const { createWasmEngine } = await import("../wasm/wasm.ts");
    return withMemoryCheck(await createWasmEngine({ threads: threads ?? processorShare().threads }));
  },
  webgpu: openWebGpu,
  async reference() {
    const { createReferenceEngine } = await import("../reference/reference.ts");
    return withMemoryCheck(createReferenceEngine());
  },
};

/** The engine of Node.js' graphics adapter, which may be a software adapter. Throws NativeError without the package, a driver or an adapter. */
async function openWebGpu(): Promise<WebGpuEngine> {
  const { createWebGpuEngine } = await import("../webgpu/webgpu.ts");
  const { loadDawn } = await import("./dawn.ts");
  const engine = await createWebGpuEngine(await loadDawn());
  return { ...engine, ...withMemoryCheck(engine) };
}

/**
 * Creates an engine, asynchronously for threads and devices. `auto` is oneDNN, otherwise a graphics adapter, otherwise the WebAssembly engine; never a
 * software adapter. Throws NativeError if the requested engine cannot run here, such as `onednn` without a supported oneDNN.
 */
export async function selectEngine(name: EngineName, threads?: number): Promise<SelectedEngine> {
  if (name === "webgpu") {
    const engine = await openWebGpu();
    return { engine, warning: engine.isSoftware ? softwareWarning(engine) : undefined };
  }
  if (name !== "auto") return { engine: await creators[name](threads), warning: undefined };
  try {
    return { engine: await creators.onednn(threads), warning: undefined };
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    const adapter = await openAdapter();
    if (adapter) return { engine: adapter, warning: `${error.message}. Using ${adapter.description}` };
    const engine = await creators.wasm(threads);
    return { engine, warning: `${error.message}. Using the WebAssembly engine, which is several times slower` };
  }
}

const softwareWarning = ({ description }: Engine) =>
  `engine: ${description} computes on the processor, much slower than --engine onednn or wasm`;

/** The engine of a graphics adapter, if there is one that is no software adapter. */
async function openAdapter(): Promise<Engine | undefined> {
  try {
    const engine = await openWebGpu();
    if (!engine.isSoftware) return engine;
    engine.close();
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
  }
  return undefined;
}

/** An engine that uses nothing of Node.js, with a check of this machine's memory. */
function withMemoryCheck(engine: Engine): Engine {
  return {
    ...engine,
    async compile(request) {
      requireMemory(request, "inference");
      return engine.compile(request);
    },
    async compileTraining(request) {
      requireMemory(request, "training");
      return engine.compileTraining(request);
    },
  };
}
