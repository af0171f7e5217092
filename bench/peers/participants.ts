/** Participants and default workloads of a comparison, for each engine of this project that is compared. */
import type { InferencePrecision, Precision } from "../../src/engine/engine.ts";
import type { BrowserAdapter } from "./browserAdapter.ts";
import {
  jaxWasm,
  jaxWebGpu,
  onnxRuntimeVariants,
  onnxRuntimeWasm,
  onnxRuntimeWebGpu,
  tensorFlowWasm,
  tensorFlowWebGpu,
} from "./npmPeers.ts";
import type { Mode } from "./protocol.ts";
import type { Torch } from "./python.ts";
import { ownVariant, torchVariants, type Variant } from "./variants.ts";
import { dawnVariant, pageEngine } from "./webGpuVariants.ts";

/** Engines that are compared with peers. */
export const comparedEngines = ["onednn", "wasm", "webgpu"] as const;
export type ComparedEngine = (typeof comparedEngines)[number];

/** Peers of the WebAssembly engine, and other engines of this project as yardsticks. */
const wasmPeers: Readonly<Record<string, () => Variant>> = {
  "onnxruntime-web": onnxRuntimeWasm,
  "tfjs-wasm": tensorFlowWasm,
  "jax-js": jaxWasm,
  onednn: () => ownVariant("onednn --exact", "f32", { engine: "onednn", exact: true }),
  reference: () => ownVariant("reference", "f32", { engine: "reference", exact: true }),
};

/** Peers of the WebGPU engine, and this engine in Node.js. */
const webGpuPeers: Readonly<Record<string, (adapter: BrowserAdapter) => Variant>> = {
  dawn: dawnVariant,
  "tfjs-webgpu": tensorFlowWebGpu,
  "jax-js": jaxWebGpu,
  "onnxruntime-web": onnxRuntimeWebGpu,
};

/** Names for `--peers`, by engine. */
export const peerNames: { readonly [E in ComparedEngine]: readonly string[] } = {
  onednn: [],
  wasm: Object.keys(wasmPeers),
  webgpu: Object.keys(webGpuPeers),
};
/** The reference engine takes minutes for a large batch. */
const defaultWasmPeers = peerNames.wasm.filter((name) => name !== "reference");

/** This project's WebAssembly engine first, then its peers. */
export function wasmParticipants(peers: readonly string[] = defaultWasmPeers): readonly Variant[] {
  const own = ownVariant("wasm", "f32", { engine: "wasm", exact: true });
  return [own, ...peers.flatMap((name) => wasmPeers[name]?.() ?? [])];
}

/** This project's WebGPU engine in Chromium first, then in Node.js, and its peers in Chromium. */
export function webGpuParticipants(adapter: BrowserAdapter, peers = peerNames.webgpu): readonly Variant[] {
  return [pageEngine(adapter), ...peers.flatMap((name) => webGpuPeers[name]?.(adapter) ?? [])];
}

/** Formats that training has. */
export const trains = (precision: InferencePrecision): precision is Precision => precision !== "int8";

/** This project's oneDNN engine in every precision, then PyTorch and ONNX Runtime. */
export function oneDnnParticipants(
  mode: Mode,
  precisions: readonly InferencePrecision[],
  torch: Torch,
): readonly Variant[] {
  return [
    ...precisions.map((precision) => ownVariant("alexnet", precision, { engine: "onednn", exact: false })),
    ...precisions.filter(trains).flatMap((precision) => torchVariants(torch, mode, precision)),
    ...(mode === "infer" ? onnxRuntimeVariants(precisions) : []),
  ];
}

/** Batch sizes by network: those compared by default. */
type Workloads = { readonly [M in Mode]: Readonly<Record<string, readonly number[]>> };

/** Engines, and software adapters of WebGPU. */
export type WorkloadSet = ComparedEngine | "software";

const workloads: { readonly [S in WorkloadSet]: Workloads } = {
  onednn: {
    // The second network is compared at small batches too, where the update takes most of a step.
    train: { "alexnet-fashion": [128], "alexnet-owt": [128, 10, 32], alexnet: [128] },
    infer: { "alexnet-owt": [1, 32] },
  },
  wasm: {
    // jax-js takes half a minute for a step of two images.
    train: { conv2: [2], "alexnet-small": [16] },
    infer: { gemm: [256], conv2: [8], "alexnet-owt": [32, 1] },
  },
  webgpu: {
    // Small batches show the cost of submitting kernels, large ones that of arithmetic.
    train: { conv2: [16], "alexnet-small": [16, 128], "alexnet-owt": [128] },
    infer: { conv2: [16], "alexnet-owt": [1, 128] },
  },
  software: { train: { tiny: [3] }, infer: { tiny: [3] } },
};
/** Batch sizes of other networks. */
const usualBatches: { readonly [M in Mode]: readonly number[] } = { train: [128], infer: [1, 32] };

/** Networks compared by default. */
export function defaultNetworks(set: WorkloadSet, mode: Mode): readonly string[] {
  return Object.keys(workloads[set][mode]);
}

/** Batch sizes compared by default for a network. */
export function defaultBatchSizes(set: WorkloadSet, mode: Mode, network: string): readonly number[] {
  return workloads[set][mode][network] ?? usualBatches[mode];
}
