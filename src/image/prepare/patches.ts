/** Principal components of image patches. */
import { type Eigen, eigenOf } from "../../eigen.ts";
import type { Image } from "../image.ts";
import { createPreprocessor, type Preprocessing } from "./preprocess.ts";

/** Maximum number of patches of an image, in a grid. */
const PATCHES_OF_AN_IMAGE = 100;

/**
 * Principal components of the patches of `kernelSize` × `kernelSize` pixels of preprocessed images, without subtraction of their mean: eigenvalues and
 * eigenvectors of the matrix of mean products. There are n = channels × kernelSize² of them; the n entries of a component are in the order of a convolution's
 * weights: channel, row, column. Values have the scale of the network's input.
 *
 * Patches lie in a grid, at most 100 in each image. Throws as `createPreprocessor`.
 */
export async function principalPatches(
  images: AsyncIterable<Image>,
  preprocessing: Preprocessing,
  kernelSize: number,
): Promise<Eigen> {
  const {
    size: [height, width],
    channels,
  } = preprocessing;
  const preprocess = createPreprocessor(preprocessing);
  const values = new Float32Array(channels * height * width);
  const patch = new Float64Array(channels * kernelSize ** 2);
  const products = new Float64Array(patch.length ** 2);
  const [rows, columns] = [gridOf(height - kernelSize), gridOf(width - kernelSize)];
  let count = 0;
  for await (const image of images) {
    preprocess(image, values, 0);
    for (const top of rows) {
      for (const left of columns) {
        copyPatch(values, patch, { height, width, top, left, kernelSize });
        addProducts(products, patch);
        count++;
      }
    }
  }
  mirror(products, patch.length);
  return eigenOf(Array.from(products, (sum) => sum / count));
}

/** Evenly spaced positions from 0 to `last`. */
function gridOf(last: number): readonly number[] {
  const count = Math.min(Math.sqrt(PATCHES_OF_AN_IMAGE), last + 1);
  return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * last) / (count - 1))));
}

interface Place {
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
  readonly kernelSize: number;
}

function copyPatch(values: Float32Array, patch: Float64Array, { height, width, top, left, kernelSize }: Place): void {
  let to = 0;
  for (let plane = 0; to < patch.length; plane += height * width) {
    for (let y = top; y < top + kernelSize; y++) {
      const row = plane + y * width + left;
      for (let x = 0; x < kernelSize; x++) patch[to++] = values[row + x] as number;
    }
  }
}

/** Adds the products on and above the diagonal. */
function addProducts(products: Float64Array, patch: Float64Array): void {
  const n = patch.length;
  for (let i = 0; i < n; i++) {
    const value = patch[i] as number;
    for (let j = i; j < n; j++) {
      products[i * n + j] = (products[i * n + j] as number) + value * (patch[j] as number);
    }
  }
}

function mirror(products: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) products[i * n + j] = products[j * n + i] as number;
}
