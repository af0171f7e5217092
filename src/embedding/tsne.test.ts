import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/assertClose.ts";
import { drawn } from "../../test/golden.ts";
import { fillGaussian, randomStream } from "../random.ts";
import { affinitiesOf, conditional } from "./affinities.ts";
import { principalComponents } from "./principalComponents.ts";
import { divergenceOf, fillGradient, type Plane, tsne } from "./tsne.ts";

const DIMENSIONS = 10;

/** Gaussian blobs, one point of each after the other, their centres `apart` from 0 along an axis each. */
function blobs(count: number, groups: number, apart: number) {
  const values = new Float64Array(count * DIMENSIONS);
  fillGaussian(randomStream(3, "blobs"), 0, values, 1);
  for (let i = 0; i < count; i++) {
    const axis = i * DIMENSIONS + (i % groups);
    values[axis] = (values[axis] as number) + apart;
  }
  return { count, dimensions: DIMENSIONS, values };
}

function places(count: number): Plane {
  const along = (purpose: string) => Float64Array.from(drawn(5, purpose, count, -2, 2));
  return { x: along("x"), y: along("y") };
}

describe("affinities", () => {
  test("the entropy of each point's neighbours is ln(perplexity), whatever their distances", () => {
    for (const scale of [1e-6, 1, 1e6]) {
      for (const perplexity of [2, 7.5, 20]) {
        const distances = Float64Array.from(drawn(2, "distances", 60, 1, 9), (value) => scale * value);
        const shares = conditional(distances, perplexity);
        const entropy = -shares.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0);
        // 100 halvings, each exponential and sum to some 2^-52.
        assertClose([entropy], [Math.log(perplexity)], { absolute: 1e-12 }, `perplexity ${perplexity}`);
        assertClose([shares.reduce((sum, p) => sum + p, 0)], [1], { absolute: 1e-12 }, "sum");
        assert.ok(
          shares.every((p, i) => shares.every((q, j) => p >= q || (distances[i] as number) > (distances[j] as number))),
          "nearer ones count more",
        );
      }
    }
    // Six as near as each other: 2 cannot be reached, and none is preferred.
    assertClose(conditional(new Float64Array(6), 2), new Array(6).fill(1 / 6), { absolute: 1e-15 }, "copies");
  });

  test("are symmetric, sum to 1, and are of the nearest", async () => {
    const { starts, columns, values } = await affinitiesOf(blobs(90, 3, 50), 5);
    const dense = new Float64Array(90 * 90);
    for (let i = 0; i < 90; i++) {
      for (let at = starts[i] as number; at < (starts[i + 1] as number); at++) {
        dense[i * 90 + (columns[at] as number)] = values[at] as number;
        assert.equal((columns[at] as number) % 3, i % 3, "of its own blob");
      }
    }
    assertClose([dense.reduce((sum, p) => sum + p, 0)], [1], { absolute: 1e-12 }, "sum");
    const turned = dense.map((_, at) => dense[(at % 90) * 90 + Math.floor(at / 90)] as number);
    assertClose(dense, turned, { absolute: 1e-18 }, "symmetric");
    // 15 neighbours of its own, and those whose neighbour it is.
    for (let i = 0; i < 90; i++) assert.ok((starts[i + 1] as number) - (starts[i] as number) >= 15);
  });
});

describe("t-SNE", () => {
  test("the gradient is that of the divergence, by finite differences", async () => {
    const count = 40;
    const affinities = await affinitiesOf(blobs(count, 3, 4), 5);
    const plane = places(count);
    const gradient = { x: new Float64Array(count), y: new Float64Array(count) };
    fillGradient(affinities, plane, gradient);
    const step = 1e-5;
    for (const axis of ["x", "y"] as const) {
      const expected = Float64Array.from({ length: count }, (_, i) => {
        const at = (change: number) => {
          const moved = { x: plane.x.slice(), y: plane.y.slice() };
          moved[axis][i] = (moved[axis][i] as number) + change;
          return divergenceOf(affinities, moved);
        };
        return (at(step) - at(-step)) / (2 * step);
      });
      // Differences of numbers of about 1: 2^-52 / 1e-5, and the square of the step.
      assertClose(gradient[axis], expected, { absolute: 1e-9 }, axis);
    }
  });

  test("brings the divergence down, and every point beside one of its own blob", async () => {
    const count = 150;
    const { points } = await principalComponents(blobs(count, 3, 12), DIMENSIONS);
    const divergences: number[] = [];
    for (const iterations of [300, 500, 1000]) {
      divergences.push((await tsne(points, { perplexity: 15, iterations })).divergence);
    }
    assert.ok(
      divergences.every((value, i) => i === 0 || value <= (divergences[i - 1] as number)),
      `${divergences}`,
    );
    const seen: number[] = [];
    const { plane, divergence } = await tsne(points, { perplexity: 15, onProgress: (done) => seen.push(done) });
    const start = { x: new Float64Array(count), y: new Float64Array(count) };
    assert.ok(divergence < 0.5 * divergenceOf(await affinitiesOf(points, 15), start), `${divergence}`);
    assert.deepEqual([seen.length, seen.at(-1)], [1000, 1000]);
    for (let i = 0; i < count; i++) {
      const distances = Array.from({ length: count }, (_, j) =>
        i === j
          ? Number.POSITIVE_INFINITY
          : Math.hypot(
              (plane.x[i] as number) - (plane.x[j] as number),
              (plane.y[i] as number) - (plane.y[j] as number),
            ),
      );
      assert.equal(distances.indexOf(Math.min(...distances)) % 3, i % 3, `point ${i}`);
    }
    const again = await tsne(points, { perplexity: 15 });
    assert.deepEqual(again.plane, plane, "to the bit");
  });

  test("copies of one point do not make it fail", async () => {
    const points = blobs(60, 3, 12);
    points.values.copyWithin(DIMENSIONS, 0, DIMENSIONS);
    points.values.copyWithin(2 * DIMENSIONS, 0, DIMENSIONS);
    const { plane, divergence } = await tsne(points, { perplexity: 5, iterations: 300 });
    assert.ok(Number.isFinite(divergence) && [...plane.x, ...plane.y].every(Number.isFinite));
  });
});
