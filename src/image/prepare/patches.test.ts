import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { conv2d, flatten, linear, localConv2d } from "../../layers/kinds.ts";
import { initializerSchema, initialValues, whiteningKernel } from "../../network/initialize.ts";
import type { Network } from "../../network/network.ts";
import type { Image } from "../image.ts";
import { principalPatches } from "./patches.ts";
import type { Preprocessing } from "./preprocess.ts";

const preprocessing: Preprocessing = {
  size: [6, 7],
  channels: 3,
  fit: { kind: "native" },
  resize: "bilinear",
  mean: [0.5, 0.4, 0.3],
  deviation: [0.2, 0.25, 0.3],
};

/** Images whose neighbouring pixels and channels are correlated. */
const images: readonly Image[] = Array.from({ length: 12 }, (_, n) => {
  const data = Uint8Array.from({ length: 6 * 7 * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % 7, Math.floor(i / 21), i % 3];
    return 128 + 70 * Math.sin(0.9 * x * (1 + (n % 3)) + y * n + 0.4 * c) + ((n * 7919 + i * 104729) % 40);
  });
  return { width: 7, height: 6, channels: 3, data };
});

async function* given() {
  yield* images;
}

/** Response of a kernel of 2×2 pixels, in the order channel, row, column, at a place of an image: the definition of a convolution. */
function response(kernel: ArrayLike<number>, { data }: Image, top: number, left: number): number {
  const { mean, deviation } = preprocessing;
  let sum = 0;
  for (let c = 0; c < 3; c++) {
    for (let dy = 0; dy < 2; dy++) {
      for (let dx = 0; dx < 2; dx++) {
        const level = data[((top + dy) * 7 + left + dx) * 3 + c] as number;
        const value = (level / 255 - (mean[c] as number)) / (deviation[c] as number);
        sum += (kernel[(c * 2 + dy) * 2 + dx] as number) * value;
      }
    }
  }
  return sum;
}

/** Mean products of the responses of kernels, over all places of all images. */
function meanProducts(kernels: readonly ArrayLike<number>[]): readonly number[][] {
  const products = kernels.map(() => kernels.map(() => 0));
  for (const image of images) {
    for (let top = 0; top < 5; top++) {
      for (let left = 0; left < 6; left++) {
        const responses = kernels.map((kernel) => response(kernel, image, top, left));
        responses.forEach((a, i) => {
          const row = products[i] as number[];
          responses.forEach((b, j) => {
            row[j] = (row[j] as number) + (a * b) / (images.length * 30);
          });
        });
      }
    }
  }
  return products;
}

function network(outChannels: number): Network {
  return {
    name: "whitened",
    source: "",
    deviations: [],
    input: [3, 6, 7],
    layers: [conv2d("conv1", { outChannels, kernelSize: 2 }), flatten("flatten"), linear("fc", { outFeatures: 2 })],
  };
}

const weight = { kind: "gaussian", deviation: 0.01 } as const;
const initializer = initializerSchema.parse({ weight, layers: { conv1: { kind: "whitening" } } });

async function kernelsOf(outChannels: number): Promise<readonly Float32Array[]> {
  const patches = await principalPatches(given(), preprocessing, 2);
  const drawn = new Map(
    [...initialValues(network(outChannels), initializer, 0, { patches })].map(({ name, values }) => [name, values]),
  );
  const values = drawn.get("conv1.weight") ?? new Float32Array();
  assert.equal(values.length, 12 * outChannels);
  return Array.from({ length: outChannels }, (_, k) => values.slice(12 * k, 12 * (k + 1)));
}

test("responses of the components: uncorrelated, with the eigenvalues as their mean squares", async () => {
  const { eigenvalues, eigenvectors } = await principalPatches(given(), preprocessing, 2);
  const diagonal = eigenvalues.map((value, i) => eigenvalues.map((_, j) => (i === j ? value : 0)));
  // Values of f32 about 1, and sums of 12 of them.
  assertClose(meanProducts(eigenvectors).flat(), diagonal.flat(), { absolute: 2e-5 }, "products");
});

test("whitened kernels: pairs of a filter and its negative, of uncorrelated responses and mean square 1", async () => {
  const kernels = await kernelsOf(24);
  const filters = kernels.filter((_, k) => k % 2 === 0);
  filters.forEach((filter, k) => {
    assert.deepEqual(
      kernels[2 * k + 1],
      filter.map((value) => -value),
    );
  });
  const { eigenvalues } = await principalPatches(given(), preprocessing, 2);
  const expected = eigenvalues.map((value, i) => eigenvalues.map((_, j) => (i === j ? value / (value + 5e-4) : 0)));
  assertClose(meanProducts(filters).flat(), expected.flat(), { absolute: 1e-3 }, "products");
});

test("other numbers of kernels: the leading components; kernels beyond them as `weight` draws them", async () => {
  const [all, few, many] = [await kernelsOf(24), await kernelsOf(5), await kernelsOf(30)];
  assert.deepEqual(few, all.slice(0, 5));
  assert.deepEqual(many.slice(0, 24), all);
  const drawn = [...initialValues(network(30), { ...initializer, layers: {} }, 0)][0]?.values.slice(24 * 12);
  assert.deepEqual(
    many.slice(24).flatMap((kernel) => [...kernel]),
    [...(drawn ?? [])],
  );
});

test("whiteningKernel: the first layer only, a convolution without groups whose kernels fit the images", () => {
  const kernelOf = (layer: object) => {
    const first = { ...conv2d("conv1", { outChannels: 6, kernelSize: 2 }), ...layer } as Network["layers"][number];
    return whiteningKernel({ ...network(24), layers: [first] }, initializer);
  };
  assert.equal(kernelOf({}), 2);
  assert.equal(kernelOf({ groups: 3 }), undefined);
  assert.equal(kernelOf({ kernelSize: 9, padding: 2 }), undefined);
  assert.equal(kernelOf(localConv2d("conv1", { outChannels: 6, kernelSize: 2 })), undefined);
  assert.equal(whiteningKernel(network(24), initializer), 2);
  const other = initializerSchema.parse({ weight, layers: { fc: { kind: "whitening" } } });
  assert.equal(whiteningKernel(network(24), other), undefined);
  assert.equal(whiteningKernel(network(24), { ...initializer, layers: {} }), undefined);
});
