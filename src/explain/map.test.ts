import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestToCentres } from "./map.ts";

test("each cell has the place nearest to its centre, the upper ones above, and both axes have one scale", () => {
  // A square of 4: cells of 1. The y axis goes up, rows go down.
  const x = Float64Array.of(0, 4, 0.9, 0.6, 4);
  const y = Float64Array.of(0, 4, 3.9, 3.4, 0);
  assert.deepEqual(
    nearestToCentres({ x, y }, 4),
    new Map([
      [12, 0],
      [3, 1],
      [0, 3],
      [15, 4],
    ]),
  );
  // Less high than wide: not stretched to the corners.
  const flat = nearestToCentres({ x: Float64Array.of(0, 4), y: Float64Array.of(1, 3) }, 4);
  assert.deepEqual([...flat.keys()], [12, 7]);
});
