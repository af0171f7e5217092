import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { readGolden } from "../../../test/golden.ts";
import { eigenOf } from "../../eigen.ts";
import { lightingNoise, type PrincipalColours } from "./lighting.ts";
import { createRandomNumbers } from "./randomChanges.ts";

interface Golden {
  readonly components: readonly (PrincipalColours & { readonly matrix: readonly number[] })[];
  readonly noise: readonly { deviation: number; drawn: readonly number[]; noise: readonly number[] }[];
}

const golden = await readGolden<Golden>("colours");

/** Σ value · p pᵀ, rows after each other. */
function composed({ eigenvalues, eigenvectors }: PrincipalColours, power = 1): number[] {
  const n = eigenvalues.length;
  return Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    return eigenvalues.reduce((sum, value, k) => {
      const vector = eigenvectors[k] as readonly number[];
      return sum + value ** power * (vector[row] as number) * (vector[column] as number);
    }, 0);
  });
}

function randomSymmetric(n: number, seed: number): number[] {
  const { uniform } = createRandomNumbers(seed, "matrix");
  const matrix = new Array<number>(n * n).fill(0);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) matrix[i * n + j] = matrix[j * n + i] = 2 * uniform() - 1;
  }
  return matrix;
}

describe("eigenOf", () => {
  test("numpy's eigenvalues and eigenvectors", () => {
    for (const { matrix, eigenvalues, eigenvectors } of golden.components) {
      const found = eigenOf(matrix);
      // Matrix entries reach 30, and each algorithm is accurate to some 2^-52 of that; vectors lose accuracy by how close two values are.
      assertClose(found.eigenvalues, eigenvalues, { absolute: 1e-13 }, "eigenvalues");
      assertClose(found.eigenvectors.flat(), eigenvectors.flat(), { absolute: 1e-12 }, "eigenvectors");
    }
  });

  test("known matrices", () => {
    const diagonal = eigenOf([2, 0, 0, 0, 5, 0, 0, 0, 3]);
    assert.deepEqual(diagonal.eigenvalues, [5, 3, 2]);
    assert.deepEqual(diagonal.eigenvectors, [
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ]);
    assert.deepEqual(eigenOf([0.25]), { eigenvalues: [0.25], eigenvectors: [[1]] });
    // All channels alike: grey is the one component.
    const grey = eigenOf(new Array(9).fill(1));
    assertClose(grey.eigenvalues, [3, 0, 0], { absolute: 1e-15 * 4 }, "grey");
    assertClose(grey.eigenvectors[0] ?? [], new Array(3).fill(1 / Math.sqrt(3)), { absolute: 1e-15 * 4 }, "grey");
    const zero = eigenOf(new Array(9).fill(0));
    assert.deepEqual(zero.eigenvalues, [0, 0, 0]);
  });

  test("any symmetric matrix is Σ λ p pᵀ, with orthonormal p in falling order of λ, their largest entries positive", () => {
    for (let seed = 0; seed < 300; seed++) {
      const n = 1 + (seed % 7);
      const matrix = randomSymmetric(n, seed);
      const found = eigenOf(matrix);
      // Some 100 rotations, each rounding to 2^-53.
      assertClose(composed(found), matrix, { absolute: 1e-14 }, "residual");
      const identity = Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
      assertClose(
        composed({ ...found, eigenvalues: found.eigenvalues.map(() => 1) }),
        identity,
        { absolute: 1e-14 },
        "p pᵀ",
      );
      assert.deepEqual(
        [...found.eigenvalues].sort((a, b) => b - a),
        found.eigenvalues,
      );
      for (const vector of found.eigenvectors) {
        assert.equal(Math.max(...vector), Math.max(...vector.map(Math.abs)));
      }
    }
  });
});

describe("lightingNoise", () => {
  const photo = golden.components[0] as PrincipalColours;

  test("numpy's, for numbers drawn", () => {
    for (const { deviation, drawn, noise } of golden.noise) {
      let used = 0;
      const found = lightingNoise(photo, deviation, () => drawn[used++] as number);
      assertClose(found, noise, { absolute: 1e-16 }, "noise");
      assert.equal(used, 3);
    }
  });

  test("has mean 0 and covariance deviation² · Σ λ² p pᵀ", () => {
    const draws = createRandomNumbers(2, "lighting.test");
    const count = 20000;
    const colours = eigenOf([0.6, 0.2, 0.1, 0.2, 0.5, 0.3, 0.1, 0.3, 0.4]);
    const sums = new Array<number>(3).fill(0);
    const products = new Array<number>(9).fill(0);
    for (let i = 0; i < count; i++) {
      draws.begin(1, i);
      const noise = lightingNoise(colours, 0.5, draws.gaussian);
      noise.forEach((a, j) => {
        sums[j] = (sums[j] as number) + a / count;
        noise.forEach((b, k) => {
          products[3 * j + k] = (products[3 * j + k] as number) + (a * b) / count;
        });
      });
    }
    const expected = composed(colours, 2).map((value) => 0.25 * value);
    const largest = Math.max(...expected);
    // A sample covariance has a deviation of at most √2 · largest / √count; five of them. Likewise the mean.
    assertClose(products, expected, { absolute: (5 * Math.SQRT2 * largest) / Math.sqrt(count) }, "covariance");
    assertClose(sums, [0, 0, 0], { absolute: 5 * Math.sqrt(largest / count) }, "mean");
  });
});

test("one component of three channels, as repeated grey has: the same is added to each", () => {
  const entry = 1 / Math.sqrt(3);
  const noise = lightingNoise({ eigenvalues: [0.3], eigenvectors: [[entry, entry, entry]] }, 0.1, () => 2);
  assert.deepEqual(noise, new Array(3).fill(0.1 * 2 * 0.3 * entry));
});
