/** Participants and default workloads of a comparison, for each engine of this project that is compared. */
import type { InferencePrecision, Precision } from "../../src/engine/engine.ts";
import { jaxJs, onnxRuntimeVariants, onnxRuntimeWeb, tensorFlowJs } from "./npmPeers.ts";
import type { Mode } from "./protocol.ts";
import type { Torch } from "./python.ts";
import { ownVariant, torchVariants, type Variant } from "./variants.ts";

/** Engines that are compared with peers. */
export const comparedEngines = ["onednn", "wasm"] as const;
export type ComparedEngine = (typeof comparedEngines)[number];

/** Peers of the WebAssembly engine, and other engines of this project as yardsticks. */
const wasmPeers = {
  "onnxruntime-web": onnxRuntimeWeb,
  "tfjs-wasm": tensorFlowJs,
  "jax-js": jaxJs,
  onednn: () => ownVariant("onednn --exact", "f32", { engine: "onednn", exact: true }),
  reference: () => ownVariant("reference", "f32", { engine: "reference", exact: true }),
} as const satisfies Readonly<Record<string, () => Variant>>;
export type WasmPeer = keyof typeof wasmPeers;
export const wasmPeerNames = Object.keys(wasmPeers) as readonly WasmPeer[];
/** The reference engine takes minutes for a large batch. */
const defaultWasmPeers = wasmPeerNames.filter((name) => name !== "reference");

/** This project's WebAssembly engine first, then its peers. */
export function wasmParticipants(peers: readonly WasmPeer[] = defaultWasmPeers): readonly Variant[] {
  const own = ownVariant("wasm", "f32", { engine: "wasm", exact: true });
  return [own, ...peers.map((name) => wasmPeers[name]())];
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

const workloads: { readonly [E in ComparedEngine]: Workloads } = {
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
};
/** Batch sizes of other networks. */
const usualBatches: { readonly [M in Mode]: readonly number[] } = { train: [128], infer: [1, 32] };

/** Networks compared by default. */
export function defaultNetworks(engine: ComparedEngine, mode: Mode): readonly string[] {
  return Object.keys(workloads[engine][mode]);
}

/** Batch sizes compared by default for a network. */
export function defaultBatchSizes(engine: ComparedEngine, mode: Mode, network: string): readonly number[] {
  return workloads[engine][mode][network] ?? usualBatches[mode];
}
