/** Libraries that compute in WebAssembly in Node.js, or on a graphics adapter in a page. */
import type { Computation, ComputeRequest } from "./protocol.ts";
import type { Workload } from "./workload.ts";

/** Hardware that a library computes on: WebAssembly or a graphics adapter. */
export type Device = "wasm" | "webgpu";

/** Creates a computation with a library. */
export type Create<Library> = (
  library: Library,
  device: Device,
  workload: Workload,
  request: ComputeRequest,
) => Promise<Computation>;

/** SGD of training, as the engines of this project have it. The rate is low, so that the loss stays finite on random labels. */
export const SGD = { learningRate: 1e-3, momentum: 0.9, weightDecay: 5e-4 } as const;

/** Throws Error for a loss that is NaN or infinite. */
export function requireFinite(loss: number | undefined): void {
  if (!Number.isFinite(loss)) throw new Error(`training: the loss is ${loss}`);
}
