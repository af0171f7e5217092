/** The training memory that `summary` prints agrees with the memory that oneDNN's programs map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import {
  averagePool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { networks } from "../src/network/alexnet.ts";
import { type Network, operations, place } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";
import { sizeOf } from "../src/shape.ts";

async function mapped(network: Network, batchSize: number) {
  // One thread needs no memory to add up gradients of several; direct convolution needs next to none, Winograd's as much as the activations.
  const engine = createOneDnnEngine({ threads: 1 });
  try {
    const ops = operations(network);
    const request = { ops, inputShape: network.input, batchSize, precision: "f32", exact: true } as const;
    const program = await engine.compileTraining(request);
    program.close();
    return { ...program.memory, isAvx512: /AVX-512|AMX/.test(engine.description) };
  } finally {
    engine.close();
  }
}

function assertBetween(ratio: number, low: number, high: number, what: string): void {
  assert.ok(ratio >= low && ratio <= high, `${what}: mapped ${ratio} times what summary says`);
}

const batchSize = 128;

for (const network of networks) {
  test(`${network.name}: parameters, gradients and activations at a batch of ${batchSize}`, async () => {
    const memory = await mapped(network, batchSize);
    const said = summarize(network, { batchSize }).trainingMemory;
    // Layouts fill channels up to a multiple of 16, and each tensor begins on a page of its own.
    for (const key of ["parameters", "gradients"] as const) assertBetween(memory[key] / said[key], 1, 1.005, key);
    // On top come scratch space and gaps between tensors: 0.2 to 18 % here. AVX2's convolutions read the images and their output's gradient in
    // layouts of their own, so both are copied: up to 75 %.
    assertBetween(memory.activations / said.activations, 1, memory.isAvx512 ? 1.2 : 1.8, "activations");
  });
}

/** 32 channels fill whole blocks of every layout, so that no padding is mapped. */
const conv = (name: string) => conv2d(name, { outChannels: 32, kernelSize: 3, padding: 1 });
const pool = (name: string) => maxPool2d(name, { kernelSize: 2, stride: 2 });
const average = (name: string) => averagePool2d(name, { kernelSize: 4, stride: 4 });
const activations = { relu, tanh, sigmoid };

/** The layers between the images and the classifier. */
const features: Readonly<Record<string, readonly AnyLayer[]>> = {
  ...Object.fromEntries(
    Object.entries(activations).flatMap(([name, f]) => [
      [`conv, ${name}, max pool`, [conv("c"), f("f"), pool("p")]],
      [`conv, ${name}, LRN, max pool`, [conv("c"), f("f"), localResponseNorm("n"), pool("p")]],
      [`conv, ${name}, average pool`, [conv("c"), f("f"), average("p")]],
      [`conv, ${name}, conv, ${name}, max pool`, [conv("c1"), f("f1"), conv("c2"), f("f2"), pool("p")]],
    ]),
  ),
  "conv, relu, tanh, max pool": [conv("c"), relu("r"), tanh("t"), pool("p")],
  "conv, relu, sigmoid, average pool": [conv("c"), relu("r"), sigmoid("s"), average("p")],
  "conv, max pool, relu": [conv("c"), pool("p"), relu("r")],
  "conv, relu, dropout, max pool": [conv("c"), relu("r"), dropout("d"), pool("p")],
  "conv, dropout, relu, average pool": [conv("c"), dropout("d"), relu("r"), average("p")],
  "conv, relu, max pool, conv, average pool": [conv("c1"), relu("r"), pool("p"), conv("c2"), average("a")],
};

for (const [name, layers] of Object.entries(features)) checkChain(name, [1, 64, 64], layers);

const noneLearnsBelow = [relu("r"), pool("p"), conv("c"), average("a")];
checkChain("relu, max pool, conv: nothing learns at the bottom", [32, 64, 64], noneLearnsBelow);

function checkChain(name: string, input: Network["input"], layers: readonly AnyLayer[]): void {
  test(`${name}: activations are those that summary says, but for bytes that can be named`, async () => {
    // Few features, so that the copies around `flatten` are small.
    const classifier = [
      averagePool2d("shrink", { kernelSize: 8, stride: 8 }),
      flatten("flatten"),
      linear("fc", { outFeatures: 10 }),
    ];
    const network: Network = {
      name,
      source: "",
      deviations: [],
      input,
      layers: [...layers, ...classifier],
    };
    const images = 32;
    const said = summarize(network, { batchSize: images }).trainingMemory;
    const placed = place(network);
    const row = 4 * images * sizeOf(placed.at(-2)?.inputShape ?? []);
    const logits = 4 * images * 10;
    const pages = 4096 * 4 * placed.length;
    // Flattening copies maps into row order, and back; weights are copied to the layouts that they are multiplied in; the loss keeps three tensors of
    // the logits' size; each of up to four tensors a layer ends somewhere in a page.
    const named = 2 * row + 2 * said.parameters + 3 * logits + pages;
    const more = (await mapped(network, images)).activations - said.activations;
    assert.ok(more >= 0 && more <= named, `mapped ${more} bytes more than summary says, expected 0 to ${named}`);
    assert.ok(named < 0.03 * said.activations, `${named} bytes of ${said.activations} prove nothing`);
  });
}
