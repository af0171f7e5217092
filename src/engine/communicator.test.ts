import assert from "node:assert/strict";
import { test } from "node:test";
import { ShapeError } from "../errors.ts";
import { alone, ownCount, rowsOf } from "./communicator.ts";
import { createWasmEngine } from "./wasm/wasm.ts";

test("rows of all processes make the batch, and those of a smaller batch its images", () => {
  assert.deepEqual(rowsOf(alone, 7), { first: 0, count: 7 });
  const rows = [0, 1, 2].map((rank) => rowsOf({ rank, size: 3 }, 12));
  assert.deepEqual(rows, [
    { first: 0, count: 4 },
    { first: 4, count: 4 },
    { first: 8, count: 4 },
  ]);
  for (let count = 0; count <= 12; count++) {
    assert.equal(
      rows.reduce((sum, own) => sum + ownCount(own, count), 0),
      count,
    );
  }
  assert.deepEqual(
    rows.map((own) => ownCount(own, 5)),
    [4, 1, 0],
  );
});

test("a batch that cannot be divided names the nearest sizes", () => {
  const problem = (size: number, batch: number) => () => rowsOf({ rank: 0, size }, batch);
  const message = (size: number, batch: number, near: string) =>
    new ShapeError(`batch size ${batch}: expected a multiple of ${size}, the number of processes; use ${near}`);
  assert.throws(problem(3, 128), message(3, 128, "126 or 129"));
  assert.throws(problem(4, 3), message(4, 3, "4"));
});

test("the communicator of one process changes nothing", async () => {
  const values = Float32Array.of(1, 2);
  const all = new Float32Array(2);
  alone.sum(values);
  alone.share(values);
  alone.gather(values, all);
  const sums = new Float32Array(2);
  alone.scatterSum(values, sums);
  alone.wait();
  assert.deepEqual([[...values], [...all], [...sums], await alone.agree("a")], [[1, 2], [1, 2], [1, 2], ["a"]]);
});

test("the WebAssembly engine refuses several processes", async () => {
  const engine = await createWasmEngine({ threads: 1 });
  const request = { ops: [], inputShape: [1, 1, 1], batchSize: 2, precision: "f32" } as const;
  const communicator = { ...alone, size: 2 };
  await assert.rejects(engine.compileTraining({ ...request, communicator }), /engine wasm: .*several processes/);
  engine.close();
});
