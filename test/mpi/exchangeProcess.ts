/** A process of a job that checks every exchange. Process 0 prints the result. With the argument `hang`, process 1 then never comes to another one. */
import assert from "node:assert/strict";
import { joinJob } from "../../src/communication/join.ts";

const communicator = await joinJob(process.env);
const { rank, size } = communicator;
const ranks = Array.from({ length: size }, (_, r) => r);
const total = ranks.reduce((sum, r) => sum + r, 0);

/** Whole numbers, whose sums are exact. */
const valueAt = (i: number, r: number) => (i % 1000) + 3 * r;
// One value, those of staged memory and beyond, and more than a piece.
for (const length of [1, 7, 1024, 1025, 2_500_000]) {
  for (const values of [new Float32Array(length), new Float64Array(length)]) {
    for (let i = 0; i < length; i++) values[i] = valueAt(i, rank);
    communicator.sum(values);
    communicator.wait();
    for (let i = 0; i < length; i += Math.max(1, length >> 10)) {
      assert.equal(values[i], size * (i % 1000) + 3 * total, `sum of ${length}`);
    }
  }
  for (const type of [Float32Array, Float64Array]) {
    const terms = new type(length * size).map((_, i) => valueAt(i, rank));
    const part = new type(length);
    communicator.scatterSum(terms, part);
    communicator.wait();
    for (let i = 0; i < length; i += Math.max(1, length >> 10)) {
      assert.equal(part[i], size * ((rank * length + i) % 1000) + 3 * total, `sum of parts of ${length}`);
    }
  }
  const own = Float32Array.from({ length }, (_, i) => valueAt(i, rank));
  const all = new Float32Array(length * size);
  communicator.gather(own, all);
  const shared = Float32Array.from({ length }, (_, i) => (rank === 0 ? i : -1));
  communicator.share(shared);
  communicator.wait();
  for (let i = 0; i < length; i += Math.max(1, length >> 10)) {
    for (const r of ranks) assert.equal(all[r * length + i], valueAt(i, r), `gather of ${length}`);
    assert.equal(shared[i], i, `share of ${length}`);
  }
}

// More exchanges than the queue and the staging memory take at once.
const many = Array.from({ length: 3000 }, (_, i) => Float32Array.of(i, rank));
for (const values of many) communicator.sum(values);
communicator.wait();
for (const [i, values] of many.entries()) assert.deepEqual([...values], [size * i, total]);

const said = await communicator.agree({ rank, text: "é".repeat(rank), nothing: null });
assert.deepEqual(
  said,
  ranks.map((r) => ({ rank: r, text: "é".repeat(r), nothing: null })),
);
if (rank === 0) process.stdout.write(`all exchanges are right: ${communicator.description}\n`);
if (process.argv[2] === "hang") {
  communicator.reached(12 + rank);
  while (rank === 1) Math.sqrt(2);
  communicator.sum(new Float32Array(1));
  communicator.wait();
}
await communicator.close();
