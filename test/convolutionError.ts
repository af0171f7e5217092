/**
 * Measures how far the 3×3 convolutions of AlexNet and its relatives are from exact ones, by each algorithm and in each precision:
 *
 *     node --import tsx test/convolutionError.ts
 *
 * It prints the relative L2 error of output, input gradient and weight gradient over elements taken at random and summed again in f64, of 128
 * images, weights and gradients of uniform numbers.
 */
import type { Op } from "../src/engine/engine.ts";
import { conv2d } from "../src/layers/kinds.ts";
import { sizeOf } from "../src/shape.ts";
import { norm } from "./assertClose.ts";
import { compileTraining, fillParameters, integers, need, opsOf, passThrough, uniform } from "./chains.ts";
import { engines } from "./engines.ts";

const batchSize = 128;
const extent = 13;
const plane = extent * extent;
const samples = 4000;

/** [name, channels, outChannels, groups]. */
const layers = [
  ["conv3", 256, 384, 1],
  ["conv3, alexnet-owt", 192, 384, 1],
  ["conv4", 384, 384, 1],
  ["conv4, 2 groups", 384, 384, 2],
  ["conv5", 384, 256, 1],
  ["conv5, 2 groups", 384, 256, 2],
] as const;

type Shape4 = readonly [outer: number, channels: number, height: number, width: number];

/** The indices of element e of a row-major tensor. */
function indices(e: number, [, channels, height, width]: Shape4): readonly [number, number, number, number] {
  const row = Math.floor(e / width);
  const map = Math.floor(row / height);
  return [Math.floor(map / channels), map % channels, row % height, e % width];
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** The three sums of a convolution with padding 1, each element by itself. */
function sumsOf(op: Op<"conv2d">, x: Float32Array, w: Float32Array, dy: Float32Array) {
  const { outChannels, groups } = op.options;
  const channels = x.length / batchSize / plane;
  const [depth, filters] = [channels / groups, outChannels / groups];
  const at = (maps: Float32Array, map: number, row: number, column: number) =>
    row < 0 || row >= extent || column < 0 || column >= extent
      ? 0
      : (maps[map * plane + row * extent + column] as number);
  const weight = (o: number, c: number, k: number) => w[(o * depth + c) * 9 + k] as number;
  const row = (k: number) => Math.floor(k / 3) - 1;
  const column = (k: number) => (k % 3) - 1;
  return {
    output(e: number) {
      const [n, o, r, q] = indices(e, [batchSize, outChannels, extent, extent]);
      const first = n * channels + Math.floor(o / filters) * depth;
      return sum(9 * depth, (i) => {
        const [c, k] = [Math.floor(i / 9), i % 9];
        return at(x, first + c, r + row(k), q + column(k)) * weight(o, c, k);
      });
    },
    input(e: number) {
      const [n, c, r, q] = indices(e, [batchSize, channels, extent, extent]);
      const first = Math.floor(c / depth) * filters;
      return sum(9 * filters, (i) => {
        const [o, k] = [first + Math.floor(i / 9), i % 9];
        return at(dy, n * outChannels + o, r - row(k), q - column(k)) * weight(o, c % depth, k);
      });
    },
    "layer.weight"(e: number) {
      const [o, c, r, q] = indices(e, [outChannels, depth, 3, 3]);
      const map = Math.floor(o / filters) * depth + c;
      return sum(batchSize * plane, (i) => {
        const [n, place] = [Math.floor(i / plane), i % plane];
        const inside = at(x, n * channels + map, Math.floor(place / extent) + r - 1, (place % extent) + q - 1);
        return inside * (dy[(n * outChannels + o) * plane + place] as number);
      });
    },
  };
}

for (const [name, channels, outChannels, groups] of layers) {
  const input = [channels, extent, extent] as const;
  const chain = { input, layers: [conv2d("layer", { outChannels, kernelSize: 3, padding: 1, groups })], batchSize };
  const [op] = opsOf(chain);
  const [x, dy] = [uniform("x", batchSize * sizeOf(input)), uniform("dy", batchSize * outChannels * plane)];
  const w = uniform("w", (outChannels * channels * 9) / groups);
  const expected = Object.entries(sumsOf(op as Op<"conv2d">, x, w, dy)).map(([key, exactSum]) => {
    const length = { output: dy.length, input: x.length, "layer.weight": w.length }[key] as number;
    const places = integers(key, samples, 0, length - 1);
    return { key, places, sums: Float64Array.from(places, exactSum) };
  });
  for (const { name: engineName, create, settings, arithmetic } of engines) {
    if (arithmetic.sums === "f64") continue;
    const engine = await create();
    const program = await compileTraining(engine, settings, chain);
    await fillParameters(program, (parameter, length) => (parameter === "layer.weight" ? w : new Float32Array(length)));
    const results = await passThrough(program, x, dy);
    const errors = expected.map(({ key, places, sums }) => {
      const difference = sums.map((exactSum, i) => (need(results, key)[places[i] as number] as number) - exactSum);
      return (norm(difference) / norm(sums)).toExponential(1);
    });
    console.log(`${name}, ${engineName}: ${errors.join(", ")}`);
    program.close();
    engine.close();
  }
}
