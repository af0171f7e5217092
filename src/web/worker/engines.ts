/** Engines of a worker: WebGPU on a graphics processor, or on any adapter that the reader chose, otherwise WebAssembly. */
import type { Engine } from "../../engine/engine.ts";
import { createWasmEngine, type WasmOptions } from "../../engine/wasm/wasm.ts";
import { isSoftware } from "../../engine/webgpu/adapter.ts";
import type { GpuAdapter, WebGpu } from "../../engine/webgpu/api.ts";
import { createWebGpuEngine } from "../../engine/webgpu/webgpu.ts";
import { NativeError, ShapeError, UnimplementedError } from "../../errors.ts";
import { problemOf } from "./calls.ts";

/** Choices of what computes; `auto` is WebGPU on a hardware adapter, otherwise WebAssembly. */
export const computations = ["auto", "webgpu", "wasm"] as const;
export type Computation = (typeof computations)[number];

/** The engine that computes, for the reader. */
export interface EngineUse {
  readonly description: string;
  /** True for WebGPU on a software adapter. */
  readonly isSoftware: boolean;
  /** Reason for WebAssembly, if WebGPU was chosen or there is a hardware adapter. */
  readonly problem: string | undefined;
}

/** Something that was created on an engine. */
export interface Made<T> {
  readonly value: T;
  readonly engine: Engine;
  readonly use: EngineUse;
}

/** Engines of a worker, each created on first use. */
export interface Engines {
  /** Creates a value on the chosen engine; if WebGPU cannot, on WebAssembly, with the reason. Rejects if WebAssembly cannot either. */
  make<T>(computation: Computation, create: (engine: Engine) => Promise<T>): Promise<Made<T>>;
  /** Closes the WebGPU engine, whose device may be lost. The next use opens another device. */
  dropWebGpu(): void;
}

/** The browser's graphics adapters; undefined without WebGPU, or where the page may not use it. */
function browserGpu(): WebGpu | undefined {
  return typeof navigator === "undefined" ? undefined : (navigator as { readonly gpu?: WebGpu }).gpu;
}

/** The preferred adapter of this browser; undefined without one, or if the browser does not name it. */
export async function findAdapter(gpu = browserGpu()): Promise<GpuAdapter | undefined> {
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  // Chromium before version 127 lacks `info`.
  return adapter?.info ? adapter : undefined;
}

/** Creates the engines of a worker, by default with all processors and the browser's graphics adapters. */
export function createEngines(options: WasmOptions & { readonly gpu?: WebGpu } = {}): Engines {
  const { gpu, ...wasmOptions } = options;
  let wasm: Promise<Engine> | undefined;
  let webGpu: OpenedWebGpu | undefined;

  async function tryWebGpu<T>(computation: Computation, create: (engine: Engine) => Promise<T>) {
    try {
      webGpu ??= await openWebGpu(computation, gpu);
      // Opened by choice before.
      if (!webGpu || (webGpu.isSoftware && computation === "auto")) return undefined;
      const { engine, isSoftware } = webGpu;
      const value = await create(engine);
      return { value, engine, use: { description: engine.description, isSoftware, problem: undefined } };
    } catch (error) {
      if (!isAdapterFailure(error)) throw error;
      // The device may be lost.
      if (!(error instanceof ShapeError || error instanceof UnimplementedError)) drop();
      return problemOf(error);
    }
  }

  function drop(): void {
    webGpu?.engine.close();
    webGpu = undefined;
  }

  return {
    async make(computation, create) {
      const made = computation === "wasm" ? undefined : await tryWebGpu(computation, create);
      if (typeof made === "object") return made;
      wasm ??= createWasmEngine(wasmOptions);
      const engine = await wasm;
      const use = { description: engine.description, isSoftware: false, problem: made };
      return { value: await create(engine), engine, use };
    },
    dropWebGpu: drop,
  };
}

interface OpenedWebGpu {
  readonly engine: Engine;
  readonly isSoftware: boolean;
}

/** The WebGPU engine; undefined if `auto` does not use the adapter. Throws NativeError if WebGPU was chosen and there is no adapter. */
async function openWebGpu(computation: Computation, gpu: WebGpu | undefined): Promise<OpenedWebGpu | undefined> {
  const adapter = await findAdapter(gpu);
  if (computation === "auto" && (!adapter || isSoftware(adapter))) return undefined;
  if (!adapter) throw new NativeError("this browser offers no graphics adapter");
  const engine = await createWebGpuEngine({ requestAdapter: async () => adapter });
  return { engine, isSoftware: engine.isSoftware };
}

/** True for failures of WebGPU that WebAssembly may not have: adapter, device, memory, limits, a kind that the engine lacks. */
function isAdapterFailure(error: unknown): boolean {
  return error instanceof NativeError || error instanceof ShapeError;
}

/** True if a call failed because of the graphics adapter of its engine. */
export function isFailureOf({ name }: Pick<Engine, "name">, error: unknown): boolean {
  return name === "webgpu" && isAdapterFailure(error);
}
