/** The WebGPU engine. */
import { ConfigError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { f32Engine } from "../f32Engine.ts";
import { isSoftware, nameOf } from "./adapter.ts";
import type { WebGpu } from "./api.ts";
import { openDevice } from "./device.ts";
import type { PlanLimits } from "./plan.ts";
import { compileInference, compileTraining } from "./program.ts";

/** Options of the engine. */
export interface WebGpuOptions {
  /**
   * `tiles` multiplies through workgroup memory, `plain` one thread for each four results, which software adapters run faster. Default: by the adapter.
   */
  readonly products?: "tiles" | "plain";
}

/** An engine on a graphics adapter. */
export interface WebGpuEngine extends Engine {
  /** The adapter computes on the processor: much slower than the other engines. */
  readonly isSoftware: boolean;
}

/** Must change whenever any computed number changes. */
const version = "2";

/**
 * The engine for graphics processors, in f32: `gpu` is `navigator.gpu` of a browser, or `create([])` of the npm package `webgpu`. Results have the same
 * bits on one adapter and driver.
 *
 * Compiling throws ShapeError for tensors that the adapter cannot bind, NativeError if its memory is short, UnimplementedError for a precision other than
 * f32, ConfigError for training in several processes. Calls throw NativeError once the device is lost.
 *
 * Throws NativeError if there is no adapter.
 */
export async function createWebGpuEngine(gpu: WebGpu, options: WebGpuOptions = {}): Promise<WebGpuEngine> {
  const device = await openDevice(gpu);
  const software = isSoftware(device.adapter);
  const limits: PlanLimits = {
    isPlain: options.products ? options.products === "plain" : software,
    workgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    bindingBytes: device.bindingBytes,
  };
  const description = `WebGPU ${version} (${nameOf(device.adapter)}${software ? ", a software adapter" : ""})`;
  const engine = f32Engine(
    { name: "webgpu", description, version, threads: 0 },
    {
      compile: (request) => compileInference(device, limits, request),
      compileTraining(request) {
        if ((request.communicator?.size ?? 1) > 1) {
          throw new ConfigError("engine webgpu: cannot train in several processes; use the oneDNN engine");
        }
        return compileTraining(device, limits, request);
      },
      free: () => device.close(),
    },
  );
  return { ...engine, isSoftware: software };
}
