/** Checkpoints in plain memory, for tests. */
import type { Model } from "../src/checkpoint/metadata.ts";
import type { NamedShape } from "../src/checkpoint/safetensorsHeader.ts";
import type { TensorStore } from "../src/checkpoint/tensorStore.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { fillWords, randomStream } from "../src/random.ts";
import { sizeOf } from "../src/shape.ts";

/** Tensors in plain memory. */
export interface MemoryStore extends TensorStore {
  readonly values: ReadonlyMap<string, Float32Array>;
}

export function memoryStore(tensors: readonly NamedShape[]): MemoryStore {
  const values = new Map(tensors.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))]));
  const find = (name: string) => {
    const found = values.get(name);
    if (!found) throw new Error(`no tensor ${name}`);
    return found;
  };
  return {
    tensors,
    values,
    async read(name, into) {
      into.set(find(name));
      return into;
    },
    async write(name, written) {
      find(name).set(written);
    },
  };
}

/** Fills a store with any 32-bit patterns of finite numbers: other ones for each tensor and iteration. */
export function fillStoreAt(store: MemoryStore, iteration: number): void {
  for (const [name, values] of store.values) {
    const words = new Uint32Array(values.buffer);
    fillWords(randomStream(7, name), iteration, words);
    // The highest bit of the exponent is 1 in NaN and the infinities.
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & 0xbfffffff;
  }
}

/** The bits of all tensors of a store. */
export function bitsOf(store: MemoryStore): string {
  return [...store.values].map(([name, { buffer }]) => `${name} ${Buffer.from(buffer).toString("hex")}`).join("\n");
}

/** A network with one weight and one bias, as small as they come. */
export const tinyModel: Model = {
  network: {
    name: "tiny",
    source: "",
    deviations: [],
    input: [1, 4, 4],
    layers: [flatten("flatten"), linear("fc", { outFeatures: 3 })],
  },
  classNames: ["a", "“b”", "c\n"],
  preprocessing: {
    size: [4, 4],
    channels: 1,
    fit: { kind: "resize" },
    resize: "bilinear",
    mean: [0.25],
    deviation: [0.5],
  },
  metrics: { testAccuracy: 0.875 },
  precision: "f32",
  exact: true,
};

const tinyTensors: readonly NamedShape[] = [
  { name: "classifier.0.weight", shape: [3, 16] },
  { name: "classifier.0.bias", shape: [3] },
];

/** The weights and the optimizer's state of `tinyModel`, `rows` times as large, as an iteration leaves them. */
export function tinyStores(iteration: number, rows = 1): { weights: MemoryStore; optimizer: MemoryStore } {
  const tensors = tinyTensors.map(({ name, shape }) => ({ name, shape: [rows, ...shape] }));
  const weights = memoryStore(tensors);
  const optimizer = memoryStore(tensors.map(({ name, shape }) => ({ name: `velocity.${name}`, shape })));
  fillStoreAt(weights, iteration);
  fillStoreAt(optimizer, iteration);
  return { weights, optimizer };
}
