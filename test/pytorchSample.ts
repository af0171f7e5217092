/** Tensors of any bits, and the digest of their .pth file. */
import { fillWords, randomStream } from "../src/random.ts";
import { type MemoryStore, memoryStore } from "./checkpoints.ts";

/** Tensors of any bits, with shapes and names that are unusual. */
export function pytorchSample(): MemoryStore {
  const store = memoryStore([
    { name: "features.0.weight", shape: [2, 3, 2, 2] },
    { name: "0", shape: [3] },
    { name: 'name “é” \\ "', shape: [1, 5] },
    { name: "scalar", shape: [] },
    { name: "empty", shape: [0, 4] },
    { name: "long", shape: [70_000, 5] },
  ]);
  // NaN and the infinities included: a file of tensors may hold any numbers.
  for (const [name, values] of store.values) fillWords(randomStream(7, name), 1, new Uint32Array(values.buffer));
  return store;
}

/** SHA-256 of the sample's file. PyTorch 1.13.1 loaded it with weights_only, each tensor to the bit: test/interopPython.test.ts does so again. */
export const sampleDigest = "7dfb17826c407ce65416fd4be6378bbfb448017466a7cba95ac7d47fd37825c3";
